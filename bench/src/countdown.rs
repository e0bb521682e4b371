//! A countdown: handlers report each message, the driver waits for the last.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counts messages down and wakes the driver at zero.
///
/// All contenders report through one of these, so what it costs is in every number alike. It
/// counts with a load and a store instead of a read-modify-write, which is sound because every
/// contender here runs one handler at a time; the store that reaches zero releases.
#[derive(Clone, Debug, Default)]
pub struct Countdown(Arc<State>);

#[derive(Debug, Default)]
struct State {
    remaining: AtomicU64,
    done: Notify,
}

impl Countdown {
    /// Starts a count of `messages`. The previous one must have reached zero.
    pub fn expect(&self, messages: u64) {
        self.0.remaining.store(messages, Ordering::Release);
    }

    /// Reports one handled message.
    ///
    /// # Panics
    ///
    /// When more messages arrive than were expected: something was delivered twice.
    #[inline]
    pub fn arrived(&self) {
        let left = self.0.remaining.load(Ordering::Relaxed);
        assert!(left > 0, "a message arrived that was not expected");
        self.0.remaining.store(left - 1, Ordering::Release);
        if left == 1 {
            self.0.done.notify_one();
        }
    }

    /// Messages still to arrive.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.0.remaining.load(Ordering::Acquire)
    }

    /// Waits until every expected message has arrived.
    pub async fn reached(&self) {
        while self.remaining() > 0 {
            self.0.done.notified().await;
        }
    }
}
