//! What is left to do once the lock is released: it runs foreign code, which may come back to the stream.

use bytes::Bytes;
use tokio::sync::Notify;

use crate::wakes::Wakes;

/// Tasks to wake and payloads to drop. One payload takes no allocation.
#[must_use = "tasks that are not woken sleep for ever"]
pub(super) struct After {
    pub(super) wakes: Wakes,
    payload: Option<Bytes>,
    payloads: Vec<Bytes>,
    /// Whether a message may have been somebody's last one.
    pub(super) settled: bool,
}

impl After {
    pub(super) const fn new() -> Self {
        Self { wakes: Wakes::new(), payload: None, payloads: Vec::new(), settled: false }
    }

    /// Drops this payload: its owner's `drop` is foreign code.
    pub(super) fn bury(&mut self, payload: Bytes) {
        match &mut self.payload {
            None => self.payload = Some(payload),
            Some(_) => self.payloads.push(payload),
        }
    }

    /// The payload that is alone in most cases, to be dropped without a lock held.
    pub(super) fn take_payload(&mut self) -> Option<Bytes> {
        self.payload.take()
    }

    /// What else there is to do, if anything. Only a stream that is closed has somebody who waits for the last settlement.
    pub(super) fn take(&mut self, closed: bool) -> Option<Self> {
        self.settled &= closed;
        let any = self.settled || !self.payloads.is_empty() || !self.wakes.is_empty();
        any.then(|| std::mem::replace(self, Self::new()))
    }

    /// Does it. Call it without a lock held.
    pub(super) fn run(self, drained: &Notify) {
        self.wakes.wake();
        if self.settled {
            drained.notify_waiters();
        }
    }
}
