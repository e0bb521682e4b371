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
}

impl<M: Item> Receiver<M> {
    pub(crate) const fn new(bus: Arc<Shared>, queue: Arc<Queue<M>>, member: usize, filter: SubjectFilter) -> Self {
        Self { bus, queue, member, filter, buffer: Ring::new(), streak: 0 }
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
        if self.streak >= MAX_STREAK {
            self.streak = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let filled = self.queue.poll_fill(&mut self.buffer, self.member, cx);
        self.streak = if filled.is_ready() { self.streak + self.buffer.len() } else { 0 };
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
