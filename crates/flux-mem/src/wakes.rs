//! Tasks to wake once every lock is released: a waker may run foreign code, which may come back to the bus.

use std::mem;
use std::task::Waker;

/// Wakers that were taken out under a lock. Up to four take no allocation.
#[must_use = "tasks that are not woken sleep for ever"]
pub(crate) struct Wakes {
    first: [Option<Waker>; 4],
    len: usize,
    rest: Vec<Waker>,
}

impl Wakes {
    pub(crate) const fn new() -> Self {
        Self { first: [const { None }; 4], len: 0, rest: Vec::new() }
    }

    pub(crate) fn push(&mut self, waker: Waker) {
        match self.first.get_mut(self.len) {
            Some(slot) => *slot = Some(waker),
            None => self.rest.push(waker),
        }
        self.len += 1;
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Wakes them all. Call it without a lock held.
    #[inline]
    pub(crate) fn wake(self) {
        if self.len == 0 {
            // There is nothing inside to drop, and looking for it would cost on every message.
            mem::forget(self);
        } else {
            self.wake_each();
        }
    }

    #[cold]
    fn wake_each(self) {
        self.first.into_iter().flatten().chain(self.rest).for_each(Waker::wake);
    }
}
