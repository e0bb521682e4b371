//! The receiving end of a queue, beneath every stream of the bus.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use flux_core::{Result, SubjectFilter};
use tokio::task::coop;

use crate::mem::Shared;
use crate::queue::Queue;
use crate::registry::Item;

/// One member of a queue. Dropped, it unsubscribes.
pub(crate) struct Receiver<M: Item> {
    bus: Arc<Shared>,
    queue: Arc<Queue<M>>,
    member: usize,
    filter: SubjectFilter,
    /// What was taken from the queue and not handed out yet.
    buffer: VecDeque<M>,
}

impl<M: Item> Receiver<M> {
    pub(crate) const fn new(bus: Arc<Shared>, queue: Arc<Queue<M>>, member: usize, filter: SubjectFilter) -> Self {
        Self { bus, queue, member, filter, buffer: VecDeque::new() }
    }

    pub(crate) const fn filter(&self) -> &SubjectFilter {
        &self.filter
    }

    pub(crate) const fn queue(&self) -> &Arc<Queue<M>> {
        &self.queue
    }

    /// The next item, or the error of a type nobody here takes. `None` once the bus is closed and everything handed out.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<M>>> {
        let budget = ready!(coop::poll_proceed(cx));
        loop {
            let next = if let Some(item) = self.buffer.pop_front() {
                self.queue.handed_out();
                Some(Ok(item))
            } else {
                ready!(self.queue.poll_take(&mut self.buffer, self.member, cx))
            };
            match next {
                Some(Ok(item)) if item.is_abandoned() => {}
                next => {
                    budget.made_progress();
                    return Poll::Ready(next.map(|item| Ok(item?)));
                }
            }
        }
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
