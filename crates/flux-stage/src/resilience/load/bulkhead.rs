//! A bound on what is in flight, with a queue in front.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flux_core::Stage;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time;

use crate::{Describe, Overloaded, Shape};

/// Lets so many calls of a stage run at the same time; the next ones wait in line, and too many of them are refused with
/// [`Overloaded`].
///
/// The stage's error must convert from [`Overloaded`]; [`GuardError`](crate::GuardError) is for those that do not.
/// [`LoadShed`](crate::LoadShed) has no line.
///
/// ```
/// use std::time::Duration;
///
/// use flux_core::{Error, Stage};
/// use flux_stage::Bulkhead;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// async fn query(n: u32) -> Result<u32, Error> {
///     Ok(n)
/// }
/// let stage = Bulkhead::new(query, 8).with_queue(100).with_wait(Duration::from_secs(1));
/// assert_eq!(stage.process(1).await.unwrap(), 1);
/// # }
/// ```
///
/// # Cancel safety
/// A dropped call gives its place back, in line or in flight.
#[derive(Debug)]
pub struct Bulkhead<S> {
    stage: S,
    places: Semaphore,
    limit: usize,
    queue: usize,
    waiting: AtomicUsize,
    wait: Option<Duration>,
}

impl<S> Bulkhead<S> {
    /// Lets `in_flight` calls of `stage` run at the same time, at least one. 1,024 may wait for as long as it takes.
    pub fn new(stage: S, in_flight: usize) -> Self {
        let limit = in_flight.clamp(1, Semaphore::MAX_PERMITS);
        Self { stage, places: Semaphore::new(limit), limit, queue: 1_024, waiting: AtomicUsize::new(0), wait: None }
    }

    /// How many calls may wait. The default is 1,024.
    #[must_use]
    pub fn with_queue(mut self, calls: usize) -> Self {
        self.queue = calls;
        self
    }

    /// How long a call may wait. There is no limit by default.
    #[must_use]
    pub fn with_wait(mut self, at_most: Duration) -> Self {
        self.wait = Some(at_most);
        self
    }

    /// How many calls run right now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.limit - self.places.available_permits()
    }

    /// Waits for a place.
    async fn place(&self) -> Result<SemaphorePermit<'_>, Overloaded>
    where
        S: Sync,
    {
        let overloaded = Overloaded::new(self.limit);
        if let Ok(place) = self.places.try_acquire() {
            return Ok(place);
        }
        let waiting = Waiting::new(&self.waiting);
        if waiting.before >= self.queue {
            return Err(overloaded);
        }
        let place = self.places.acquire();
        let place = match self.wait {
            None => place.await,
            Some(wait) => time::timeout(wait, place).await.map_err(|_elapsed| overloaded)?,
        };
        place.map_err(|_never_closed| overloaded)
    }
}

/// One call in line.
struct Waiting<'b> {
    waiting: &'b AtomicUsize,
    before: usize,
}

impl<'b> Waiting<'b> {
    fn new(waiting: &'b AtomicUsize) -> Self {
        Self { waiting, before: waiting.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<In, S> Stage<In> for Bulkhead<S>
where
    In: Send,
    S: Stage<In, Error: From<Overloaded>>,
{
    type Out = S::Out;
    type Error = S::Error;

    async fn process(&self, input: In) -> Result<S::Out, S::Error> {
        let _place = self.place().await?;
        self.stage.process(input).await
    }
}

impl<S: Describe> Describe for Bulkhead<S> {
    fn describe(&self) -> Shape {
        Shape::around("bulkhead", self.stage.describe())
    }
}
