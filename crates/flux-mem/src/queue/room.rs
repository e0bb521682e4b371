//! Waiting for room in a queue.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::{Phase, Queue, Refusal};
use crate::wakes::Wakes;

/// Pushes an item as soon as there is room. Dropped before that, the item was not pushed.
///
/// Never yields [`Refusal::Full`].
pub(crate) struct WaitForRoom<M> {
    queue: Arc<Queue<M>>,
    item: Option<M>,
    ticket: Option<u64>,
    /// Whether the others were given a turn before queueing up.
    yielded: bool,
}

impl<M> WaitForRoom<M> {
    pub(crate) const fn new(queue: Arc<Queue<M>>, item: Option<M>) -> Self {
        Self { queue, item, ticket: None, yielded: false }
    }

    /// The item, when it was not pushed.
    pub(crate) fn into_item(mut self) -> Option<M> {
        self.item.take()
    }
}

impl<M> Unpin for WaitForRoom<M> {}

impl<M> Future for WaitForRoom<M> {
    type Output = Result<(), Refusal>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut wakes = Wakes::new();
        let pushed = loop {
            match this.queue.push(&mut this.item, &mut wakes) {
                // A stream that is keeping up makes much room in one turn; who queues up at once is woken for each place of it.
                Err(Refusal::Full) if !this.yielded => {
                    this.yielded = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Err(Refusal::Full) if this.queue.wait(&mut this.ticket, cx) => return Poll::Pending,
                Err(Refusal::Full) => {}
                pushed => break pushed,
            }
        };
        wakes.wake();
        this.leave();
        Poll::Ready(pushed)
    }
}

impl<M> WaitForRoom<M> {
    fn leave(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.queue.stop_waiting(ticket);
        }
    }
}

impl<M> Drop for WaitForRoom<M> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<M> Queue<M> {
    /// Queues up for room. Refuses when there is some by now, or will never be.
    fn wait(&self, ticket: &mut Option<u64>, cx: &mut Context<'_>) -> bool {
        let mut state = self.lock();
        if state.phase != Phase::Open {
            return false;
        }
        *ticket = Some(state.queue_up(*ticket, cx.waker()));
        // From here on the stream tells of every item it hands out; what it handed out before shows in the count.
        state.held_at_most = self.watch(&state);
        state.items.len() + state.held_at_most >= self.capacity
    }

    /// Gives up a place in the line. One who was woken and goes away passes the room on.
    fn stop_waiting(&self, ticket: u64) {
        let mut wakes = Wakes::new();
        let mut state = self.lock();
        if state.give_up(ticket) {
            self.watch(&state);
        } else {
            self.shrunk(&mut state, &mut wakes);
        }
        drop(state);
        wakes.wake();
    }
}
