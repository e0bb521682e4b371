//! The end of a queue.

use std::task::{Context, Poll};

use super::{Phase, Queue};
use crate::wakes::Wakes;

/// A queue of any type, as the end of the bus sees it.
pub(crate) trait Close: Send + Sync {
    /// Takes nothing more in. What is queued can still be taken.
    fn close(&self, wakes: &mut Wakes);

    /// Waits until nothing is queued, or until nobody is left to take it.
    fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<()>;
}

impl<M: Send> Close for Queue<M> {
    fn close(&self, wakes: &mut Wakes) {
        let mut state = self.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Closing;
        }
        state.wake_members(wakes);
        state.wake_publishers(usize::MAX, wakes);
        self.watch(&state);
    }

    fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.phase == Phase::Gone {
            return Poll::Ready(());
        }
        state.closers.retain(|closer| !closer.will_wake(cx.waker()));
        state.closers.push(cx.waker().clone());
        let held = self.watch(&state);
        if held > 0 || !state.items.is_empty() {
            return Poll::Pending;
        }
        state.closers.pop();
        self.watch(&state);
        Poll::Ready(())
    }
}
