//! One call of a stage for what many callers hand in.

mod cell;
mod error;

/// What a batch is built on. The model checker builds it on its own locks.
mod sync {
    use std::sync::PoisonError;
    pub(super) use std::sync::{Mutex, MutexGuard};

    /// A panic in between leaves nothing half done.
    pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use flux_core::{BoxFuture, Stage};
use tokio::time::{Instant, Sleep, sleep_until};

use self::cell::{Cell, Joined, Room, Turn};
pub use self::error::BatchError;
use self::sync::lock;
use crate::report::{Event, report};
use crate::{Describe, Shape};

/// Collects the inputs of many callers and calls a stage over `Vec<In>` once for all of them. Each caller gets its own
/// result back.
///
/// A batch runs when it is full, when its bytes are, or when the interval since its first item has passed. The stage must make one
/// output for each item, in their order. Batches of one `Batch` can run at the same time. Clones share the batch that is open.
///
/// There is no task behind it: one of the callers drives the batch, and when that one is dropped another drives on.
///
/// ```
/// use std::time::Duration;
///
/// use flux_core::Stage;
/// use flux_stage::Batch;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// async fn insert(rows: Vec<&str>) -> Result<Vec<usize>, std::io::Error> {
///     Ok(rows.iter().map(|row| row.len()).collect()) // one statement for all
/// }
/// let stage = Batch::new(insert, 100).with_interval(Duration::from_millis(5));
/// let (one, two) = tokio::join!(stage.process("flux"), stage.process("stage"));
/// assert_eq!((one.unwrap(), two.unwrap()), (4, 5));
/// # }
/// ```
///
/// # Cancel safety
/// An item whose caller is dropped before the batch runs is not in it. Dropped later, the batch runs on for the others, and
/// stops where it is when there are none.
///
/// # Errors
/// [`BatchError`]: the stage's error is shared by all of the batch.
pub struct Batch<S, In, Out, E> {
    stage: Arc<S>,
    open: Arc<Slot<In, Out, E>>,
    room: Room,
    interval: Duration,
    weigh: Option<Weigh<In>>,
}

type Running<Out, E> = BoxFuture<'static, Result<Vec<Out>, E>>;
type Outcome<Out, E> = Result<Out, BatchError<E>>;
type Slot<In, Out, E> = Mutex<Option<Arc<Lot<In, Out, E>>>>;
type Weigh<In> = Arc<dyn Fn(&In) -> usize + Send + Sync>;

/// Longer than any program runs.
const AGES: Duration = Duration::from_secs(1 << 32);

/// A batch that runs.
struct Driven<Out, E> {
    future: Running<Out, E>,
    items: usize,
}

/// A batch, and when it is to run at the latest.
struct Lot<In, Out, E> {
    cell: Cell<In, Driven<Out, E>, Outcome<Out, E>>,
    due: Instant,
}

impl<S, In, Out, E> Batch<S, In, Out, E>
where
    S: Stage<Vec<In>, Out = Vec<Out>, Error = E> + 'static,
    In: Send + 'static,
{
    /// Calls `stage` with at most `items` at a time, at least one, and at the latest 10 ms after the first of them.
    pub fn new(stage: S, items: usize) -> Self {
        Self {
            stage: Arc::new(stage),
            open: Arc::default(),
            room: Room { items: items.max(1), weight: usize::MAX },
            interval: Duration::from_millis(10),
            weigh: None,
        }
    }

    /// How long the first item of a batch waits for others at most. The default is 10 ms.
    #[must_use]
    pub const fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// A batch holds no more than `at_most` bytes by the measure of `bytes_of`; an item that is larger goes alone. There is
    /// no such limit by default.
    #[must_use]
    pub fn with_bytes(mut self, at_most: usize, bytes_of: impl Fn(&In) -> usize + Send + Sync + 'static) -> Self {
        self.room.weight = at_most;
        self.weigh = Some(Arc::new(bytes_of));
        self
    }

    /// The stage's future for these items.
    fn run(&self, items: Vec<In>) -> Running<Out, E> {
        let stage = Arc::clone(&self.stage);
        Box::pin(async move { stage.process(items).await })
    }

    /// Finds a seat in the open batch, or opens one; says whether that filled it.
    fn seat(&self, mut item: In, waker: &Waker) -> (Seat<In, Out, E>, bool) {
        let weight = self.weigh.as_ref().map_or(0, |weigh| weigh(&item));
        let mut open = lock(&self.open);
        if let Some(lot) = &*open {
            match lot.cell.join(item, weight, self.room, waker) {
                Joined::Seated { seat: number, full: false } => return (Seat::new(Arc::clone(lot), number), false),
                Joined::Seated { seat: number, full: true } => {
                    let lot = Arc::clone(lot);
                    *open = None;
                    return (Seat::new(lot, number), true);
                }
                Joined::Closed(back) => item = back,
            }
        }
        let (cell, full) = Cell::new(item, weight, self.room, waker);
        let now = Instant::now();
        // An interval too long to be told ends when the batch is full.
        let due = now.checked_add(self.interval).unwrap_or(now + AGES);
        let lot = Arc::new(Lot { cell, due });
        *open = (!full).then(|| Arc::clone(&lot));
        (Seat::new(lot, 0), full)
    }

    /// Does what is up to the caller in `seat`.
    fn poll(
        &self,
        seat: &mut Seat<In, Out, E>,
        mut timer: Pin<&mut Option<Sleep>>,
        cx: &mut Context<'_>,
    ) -> Poll<Outcome<Out, E>> {
        let Some(lot) = &seat.lot else { return Poll::Ready(Err(BatchError::Panicked)) };
        loop {
            match lot.cell.turn(seat.number, cx.waker()) {
                Turn::Wait => return Poll::Pending,
                Turn::Mind => {
                    if timer.is_none() {
                        timer.set(Some(sleep_until(lot.due)));
                    }
                    if let Some(timer) = timer.as_mut().as_pin_mut() {
                        ready!(timer.poll(cx));
                    }
                    lot.cell.close();
                    lock(&self.open).take_if(|open| Arc::ptr_eq(open, lot));
                }
                Turn::Start(items) => {
                    let count = items.len();
                    report(&Event::Batch(count));
                    ready!(drive(&lot.cell, Driven { future: self.run(items), items: count }, cx));
                }
                Turn::Continue(driven) => ready!(drive(&lot.cell, driven, cx)),
                Turn::Finished(result) => {
                    seat.lot = None;
                    return Poll::Ready(result.unwrap_or(Err(BatchError::Panicked)));
                }
            }
        }
    }
}

/// Polls the batch, and hands out the results when they are there.
fn drive<In, Out, E>(
    cell: &Cell<In, Driven<Out, E>, Outcome<Out, E>>,
    mut driven: Driven<Out, E>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let Poll::Ready(done) = driven.future.as_mut().poll(cx) else {
        cell.put_back(driven);
        return Poll::Pending;
    };
    match done {
        Ok(outs) if outs.len() == driven.items => {
            let mut outs = outs.into_iter();
            cell.finish(|| outs.next().map(Ok));
        }
        Ok(outs) => {
            let (items, results) = (driven.items, outs.len());
            cell.finish(|| Some(Err(BatchError::Count { items, results })));
        }
        Err(error) => {
            let error = Arc::new(error);
            cell.finish(|| Some(Err(BatchError::Stage(Arc::clone(&error)))));
        }
    }
    Poll::Ready(())
}

impl<S, In, Out, E> Stage<In> for Batch<S, In, Out, E>
where
    S: Stage<Vec<In>, Out = Vec<Out>, Error = E> + 'static,
    In: Send + 'static,
    Out: Send + 'static,
    E: Send + Sync + 'static,
{
    type Out = Out;
    type Error = BatchError<E>;

    async fn process(&self, input: In) -> Result<Out, BatchError<E>> {
        let mut input = Some(input);
        let mut seat = Seat { lot: None, number: 0 };
        let mut timer = pin!(None);
        poll_fn(|cx| {
            if let Some(input) = input.take() {
                let (taken, full) = self.seat(input, cx.waker());
                seat = taken;
                if !full {
                    // The first one arms no timer yet: those who are about to run may well fill the batch.
                    if seat.number == 0 {
                        cx.waker().wake_by_ref();
                    }
                    return Poll::Pending;
                }
            }
            self.poll(&mut seat, timer.as_mut(), cx)
        })
        .await
    }
}

/// A caller's place in a batch, until it has its result.
struct Seat<In, Out, E> {
    lot: Option<Arc<Lot<In, Out, E>>>,
    number: u64,
}

impl<In, Out, E> Seat<In, Out, E> {
    const fn new(lot: Arc<Lot<In, Out, E>>, number: u64) -> Self {
        Self { lot: Some(lot), number }
    }
}

impl<In, Out, E> Drop for Seat<In, Out, E> {
    fn drop(&mut self) {
        if let Some(lot) = &self.lot {
            lot.cell.leave(self.number);
        }
    }
}

impl<S: Describe, In, Out, E> Describe for Batch<S, In, Out, E> {
    fn describe(&self) -> Shape {
        Shape::around("batch", self.stage.describe())
    }
}

impl<S, In, Out, E> Clone for Batch<S, In, Out, E> {
    fn clone(&self) -> Self {
        let Self { stage, open, room, interval, weigh } = self;
        let (stage, open, weigh) = (Arc::clone(stage), Arc::clone(open), weigh.clone());
        Self { stage, open, room: *room, interval: *interval, weigh }
    }
}

impl<S, In, Out, E> fmt::Debug for Batch<S, In, Out, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("room", &self.room).field("interval", &self.interval).finish_non_exhaustive()
    }
}
