//! The receiving end of a queue, beneath every stream of the bus.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use flux_core::{Result, SubjectFilter};

use crate::mem::Shared;
use crate::queue::{MemberBacklog, Notice, Queue};
use crate::registry::Item;
use crate::ring::Ring;

/// How many items a stream takes from its queue before it lets other tasks run. Items that come as fast as they are
/// taken would otherwise keep the task going for ever.
const MAX_STREAK: usize = 16 * 1024;

/// Fewer items than this are little for one fill, where more could have come.
const SCANT: usize = 16;

/// After so many fills in a row that brought little, other tasks run before each further one. A stream that is a little faster
/// than its publishers would else take the queue's lock for every item or two, and slow them down: which of the two is
/// the faster one must not decide a fifth of the rate.
const SCANT_ROW: u32 = 64;

/// One member of a queue. Dropped, it unsubscribes.
///
/// In cache lines of its own: it is written for every item, and publishers read what was allocated when it was made.
#[repr(align(128))]
pub(crate) struct Receiver<M: Item> {
    bus: Arc<Shared>,
    queue: Arc<Queue<M>>,
    member: usize,
    filter: SubjectFilter,
    /// What was taken from the queue and not handed out yet.
    buffer: Ring<M>,
    /// How many were taken since the queue was last found empty.
    streak: usize,
    /// How many fills in a row brought little, since the queue was last found empty.
    scant: u32,
    /// Whether other tasks could run since the last fill.
    stood_aside: bool,
}

impl<M: Item> Receiver<M> {
    pub(crate) const fn new(bus: Arc<Shared>, queue: Arc<Queue<M>>, member: usize, filter: SubjectFilter) -> Self {
        Self { bus, queue, member, filter, buffer: Ring::new(), streak: 0, scant: 0, stood_aside: false }
    }

    pub(crate) const fn filter(&self) -> &SubjectFilter {
        &self.filter
    }

    pub(crate) const fn queue(&self) -> &Arc<Queue<M>> {
        &self.queue
    }

    /// What tells how far this member is behind.
    pub(crate) fn backlog(&self) -> MemberBacklog<M> {
        MemberBacklog { queue: Arc::clone(&self.queue), member: self.member }
    }

    /// The next item, when it was taken from the queue already.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<M> {
        loop {
            let item = self.buffer.pop()?;
            self.queue.handed_out();
            if !item.is_abandoned() {
                return Some(item);
            }
        }
    }

    /// The next item, or the error of a type nobody here takes. `None` once the bus is closed and everything handed out.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<M>>> {
        loop {
            if let Some(item) = self.pop() {
                return Poll::Ready(Some(Ok(item)));
            }
            match ready!(self.poll_fill(cx)) {
                Some(Ok(())) => {}
                Some(Err(notice)) => return Poll::Ready(Some(Err(notice.into()))),
                None => return Poll::Ready(None),
            }
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<(), Notice>>> {
        if self.streak >= MAX_STREAK || self.scant >= SCANT_ROW && !self.stood_aside {
            (self.streak, self.stood_aside) = (0, true);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let filled = self.queue.poll_fill(&mut self.buffer, self.member, cx);
        let found = self.buffer.len();
        (self.streak, self.scant) = match filled {
            Poll::Ready(_) if found < SCANT && self.queue.could_have_filled(found) => {
                (self.streak + found, self.scant.saturating_add(1))
            }
            Poll::Ready(_) => (self.streak + found, 0),
            Poll::Pending => (0, 0),
        };
        self.stood_aside = false;
        filled
    }
}

/// Nothing is pinned here; items move in and out.
impl<M: Item> Unpin for Receiver<M> {}

impl<M: Item> Drop for Receiver<M> {
    fn drop(&mut self) {
        if self.bus.write().leave(&self.filter, &self.queue, self.member) {
            drop(self.queue.abandon());
        }
    }
}
