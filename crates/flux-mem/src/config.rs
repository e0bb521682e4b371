//! Options of an in-process bus.

use std::num::NonZeroUsize;
use std::time::Duration;

/// How a [`Mem`](crate::Mem) queues and waits.
///
/// ```
/// use std::time::Duration;
/// use flux_mem::{Mem, MemConfig, WhenFull};
///
/// let config = MemConfig::new()
///     .with_capacity(64)
///     .with_full(WhenFull::Drop)
///     .with_request_timeout(Duration::from_secs(2));
/// let bus = Mem::with_config(config);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemConfig {
    /// The most messages that wait for one subscription, queue group or responder. Default: 1,024.
    pub capacity: NonZeroUsize,
    /// What a publisher does about a queue that is full. Default: [`WhenFull::Wait`].
    pub when_full: WhenFull,
    /// How long a request waits, for room in a queue and for the answer together. Default: 10 s.
    pub request_timeout: Duration,
}

impl MemConfig {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        let capacity = match NonZeroUsize::new(1024) {
            Some(capacity) => capacity,
            None => NonZeroUsize::MIN,
        };
        Self { capacity, when_full: WhenFull::Wait, request_timeout: Duration::from_secs(10) }
    }

    /// Sets the most messages that wait for one subscription, queue group or responder. 0 counts as 1: a queue without
    /// room would take nothing.
    #[must_use]
    pub const fn with_capacity(mut self, capacity: usize) -> Self {
        self.capacity = match NonZeroUsize::new(capacity) {
            Some(capacity) => capacity,
            None => NonZeroUsize::MIN,
        };
        self
    }

    /// Sets what a publisher does about a queue that is full.
    #[must_use]
    pub const fn with_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// Sets how long a request waits, for room in a queue and for the answer together.
    #[must_use]
    pub const fn with_request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }
}

impl Default for MemConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// What a publisher does about a queue that is full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// Drops the message for that queue and counts it; see [`Mem::dropped`](crate::Mem::dropped). A request fails with
    /// [`ErrorKind::Full`](flux_core::ErrorKind::Full).
    Drop,
    /// Waits until there is room or the subscriber leaves.
    #[default]
    Wait,
}
