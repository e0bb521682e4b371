//! How many calls in how much time.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::Quota;

/// The longest time until a full burst is back. Governor counts nanoseconds in 64 bits; this leaves room for centuries.
const REFILL_MAX_NANOS: u128 = 1 << 61;

/// So many calls in so much time, spread evenly but for a burst.
///
/// ```
/// use flux_stage::Rate;
///
/// let rate = Rate::per_second(100).with_burst(10); // one every 10 ms, after at most ten at once
/// assert_eq!(rate.interval().as_millis(), 10);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    interval: Duration,
    burst: NonZeroU32,
}

impl Rate {
    /// `calls` in every `time`; zero calls count as one. The burst is one call.
    #[must_use]
    pub fn new(calls: u32, time: Duration) -> Self {
        let interval = (time / calls.max(1)).max(Duration::from_nanos(1));
        Self { interval, burst: NonZeroU32::MIN }
    }

    /// So many calls a second.
    #[must_use]
    pub fn per_second(calls: u32) -> Self {
        Self::new(calls, Duration::from_secs(1))
    }

    /// So many calls a minute.
    #[must_use]
    pub fn per_minute(calls: u32) -> Self {
        Self::new(calls, Duration::from_mins(1))
    }

    /// How many calls may come at once after a time without any; zero counts as one.
    #[must_use]
    pub fn with_burst(mut self, calls: u32) -> Self {
        self.burst = NonZeroU32::new(calls).unwrap_or(NonZeroU32::MIN);
        self
    }

    /// The time between two calls that come steadily.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.interval
    }

    /// How many calls may come at once.
    #[must_use]
    pub const fn burst(&self) -> u32 {
        self.burst.get()
    }

    /// The same for governor, with an interval that is long but can be counted.
    pub(crate) fn quota(&self) -> Quota {
        let longest = REFILL_MAX_NANOS / u128::from(self.burst.get());
        let nanos = self.interval.as_nanos().clamp(1, longest);
        let interval = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        Quota::with_period(interval).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(self.burst)
    }
}
