//! Who takes from a queue: one stream, or the members of a group.

use std::future::ready;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use flux_core::{Backlog, BoxFuture, Outstanding, Result};

use super::{Phase, Queue};
use crate::ring::Ring;
use crate::wakes::Wakes;

impl<M> Queue<M> {
    /// A member more. Called under the table's lock, as [`leave`](Self::leave) is.
    pub(crate) fn join(&self) -> usize {
        let mut state = self.lock();
        state.members += 1;
        state.joined += 1;
        let member = state.joined;
        if self.group.is_some() {
            state.taken.push((member, 0));
        }
        member
    }

    /// A member less. Tells whether none is left.
    pub(crate) fn leave(&self, member: usize) -> bool {
        let mut state = self.lock();
        state.members -= 1;
        state.sleepers.retain(|(sleeper, _)| *sleeper != member);
        state.taken.retain(|(taker, _)| *taker != member);
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

/// How far one member is behind. What other members of its group took is not its own.
pub(crate) struct MemberBacklog<M> {
    pub(crate) queue: Arc<Queue<M>>,
    pub(crate) member: usize,
}

impl<M> MemberBacklog<M> {
    fn accepted(&self) -> u64 {
        let state = self.queue.lock();
        if self.queue.group.is_none() {
            return state.accepted;
        }
        let own = state.taken.iter().find(|(taker, _)| *taker == self.member).map_or(0, |(_, taken)| *taken);
        own + state.items.len() as u64
    }
}

impl<M: Send> Backlog for MemberBacklog<M> {
    fn outstanding(&self) -> BoxFuture<'_, Result<Outstanding>> {
        Box::pin(ready(Ok(Outstanding::Accepted(self.accepted()))))
    }
}
