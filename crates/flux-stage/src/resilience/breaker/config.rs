//! When a circuit opens and closes.

use std::fmt;
use std::time::Duration;

use super::CircuitState;
use super::state::{Rules, Trip};
use super::tally::Tally;

/// Told of each change of state: from, to.
pub(super) type OnChange = Box<dyn Fn(CircuitState, CircuitState) + Send + Sync>;

/// When a circuit opens and closes.
///
/// ```
/// use std::time::Duration;
///
/// use flux_stage::CircuitConfig;
///
/// let config = CircuitConfig::new()
///     .with_failure_rate(0.5, Duration::from_secs(10), 20)
///     .with_reset_after(Duration::from_secs(5))
///     .with_successes(3)
///     .with_probes(2);
/// ```
pub struct CircuitConfig {
    trip: Trip,
    window: Duration,
    reset_after: Duration,
    successes: u32,
    probes: u32,
    pub(super) on_change: Option<OnChange>,
}

impl CircuitConfig {
    /// Opens at five failures in a row, lets one probe at a time through after 30 s, and closes at its success.
    #[must_use]
    pub fn new() -> Self {
        Self {
            trip: Trip::Consecutive(5),
            window: Duration::ZERO,
            reset_after: Duration::from_secs(30),
            successes: 1,
            probes: 1,
            on_change: None,
        }
    }

    /// Opens at so many failures with no success between them, from 1 to 524,288. The default is 5. Replaces
    /// [`with_failure_rate`](Self::with_failure_rate).
    #[must_use]
    pub fn with_failures(mut self, in_a_row: u32) -> Self {
        self.trip = Trip::Consecutive(in_a_row);
        self
    }

    /// Opens when a call fails and by then this share of the calls in the last `window` failed, from 0 to 1, and there were
    /// at least `calls_min` of them. The window moves on by tenths. Replaces [`with_failures`](Self::with_failures), and
    /// costs a look at the clock for each success.
    #[must_use]
    pub fn with_failure_rate(mut self, share: f64, window: Duration, calls_min: u32) -> Self {
        self.trip = Trip::Rate { share, calls_min: u64::from(calls_min) };
        self.window = window;
        self
    }

    /// How long an open circuit refuses calls before it lets a probe through. The default is 30 s.
    #[must_use]
    pub fn with_reset_after(mut self, time: Duration) -> Self {
        self.reset_after = time;
        self
    }

    /// How many probes must succeed to close the circuit, from 1 to 524,288. The default is 1.
    #[must_use]
    pub fn with_successes(mut self, successes: u32) -> Self {
        self.successes = successes;
        self
    }

    /// How many probes may be in flight at the same time, from 1 to 524,288. The default is 1.
    #[must_use]
    pub fn with_probes(mut self, at_a_time: u32) -> Self {
        self.probes = at_a_time;
        self
    }

    /// Calls `tell` with the old and the new state at each change, in the call that caused it; it should not block.
    /// Nobody is told by default.
    #[must_use]
    pub fn with_on_change(mut self, tell: impl Fn(CircuitState, CircuitState) + Send + Sync + 'static) -> Self {
        self.on_change = Some(Box::new(tell));
        self
    }

    pub(super) fn rules(&self) -> Rules {
        let Self { trip, successes, probes, reset_after, .. } = *self;
        Rules { trip, reset_after: nanos(reset_after), successes, probes }
    }

    pub(super) fn tally(&self) -> Tally {
        Tally::new(nanos(self.window))
    }
}

/// 584 years are as good as for ever.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Default for CircuitConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CircuitConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trip, window, reset_after, successes, probes, .. } = self;
        f.debug_struct("CircuitConfig")
            .field("trip", trip)
            .field("window", window)
            .field("reset_after", reset_after)
            .field("successes", successes)
            .field("probes", probes)
            .finish_non_exhaustive()
    }
}
