//! Who takes from a queue: one stream, or the members of a group.

use std::mem;
use std::sync::atomic::Ordering;

use super::{Phase, Queue};
use crate::ring::Ring;
use crate::wakes::Wakes;

impl<M> Queue<M> {
    /// A member more. Called under the table's lock, as [`leave`](Self::leave) is.
    pub(crate) fn join(&self) -> usize {
        let mut state = self.lock();
        state.members += 1;
        state.joined += 1;
        state.joined
    }

    /// A member less. Tells whether none is left.
    pub(crate) fn leave(&self, member: usize) -> bool {
        let mut state = self.lock();
        state.members -= 1;
        state.sleepers.retain(|(sleeper, _)| *sleeper != member);
        state.members == 0
    }

    /// Lets go of everything: nobody is left to take it. The items are returned, to be dropped without a lock held.
    pub(crate) fn abandon(&self) -> Ring<M> {
        let mut wakes = Wakes::new();
        let mut state = self.lock();
        state.phase = Phase::Gone;
        state.wake_publishers(usize::MAX, &mut wakes);
        state.wake_closers(&mut wakes);
        self.held.0.store(0, Ordering::Release);
        let items = mem::replace(&mut state.items, Ring::new());
        drop(state);
        wakes.wake();
        items
    }
}
