//! How often and after which delays a failed message is tried again.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

/// The steps a failing message climbs before it becomes a dead letter.
///
/// A transport that redelivers is asked to deliver again after the delay, so no handler slot waits. On one that does not, the
/// slot waits and the handler is called again.
///
/// Default: 10 attempts, delays from 100 ms doubling to 30 s, each lengthened by up to its own length at random, so that
/// what failed together does not come back together.
///
/// ```
/// use std::time::Duration;
/// use flux_router::Ladder;
///
/// let ladder = Ladder::new().with_attempts(3).with_delays(Duration::from_secs(1), Duration::from_secs(60));
/// assert!(ladder.delay(1) >= Duration::from_secs(1) && ladder.delay(1) <= Duration::from_secs(2));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ladder {
    /// Deliveries in all, the first included. At least 1.
    pub attempts: u32,
    /// Handler calls within one delivery, without a delay between them. At least 1. Default 1.
    pub in_place: u32,
    /// The delay after the first attempt, before it is lengthened.
    pub first_delay: Duration,
    /// The longest delay, before it is lengthened.
    pub max_delay: Duration,
}

impl Default for Ladder {
    fn default() -> Self {
        Self { attempts: 10, in_place: 1, first_delay: Duration::from_millis(100), max_delay: Duration::from_secs(30) }
    }
}

impl Ladder {
    /// The default ladder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One attempt, then the dead letters.
    #[must_use]
    pub fn once() -> Self {
        Self::default().with_attempts(1)
    }

    /// Deliveries in all, the first included; 0 is refused when the route is checked.
    #[must_use]
    pub const fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Handler calls within one delivery, without a delay between them: for failures that pass at once, such as a lost
    /// race. 0 is refused when the route is checked.
    #[must_use]
    pub const fn with_in_place(mut self, calls: u32) -> Self {
        self.in_place = calls;
        self
    }

    /// The delay after the first attempt, doubling up to `max`.
    #[must_use]
    pub const fn with_delays(mut self, first: Duration, max: Duration) -> Self {
        self.first_delay = first;
        self.max_delay = max;
        self
    }

    /// The delay after this attempt, counted from 1: drawn between the step's own length and twice that.
    #[must_use]
    pub fn delay(&self, attempt: u32) -> Duration {
        let step = self.step(attempt);
        // Only drawn on failure, so a hasher with random keys is random enough and needs no crate.
        let draw = RandomState::new().build_hasher().finish() >> 11;
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double")]
        let share = draw as f64 / (1_u64 << 53) as f64;
        step + step.mul_f64(share)
    }

    fn step(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        self.first_delay.saturating_mul(1 << doublings).min(self.max_delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_double_up_to_the_longest() {
        let ladder = Ladder::new();
        let steps: Vec<_> = (1..=10).map(|attempt| ladder.step(attempt).as_millis()).collect();
        assert_eq!(steps, [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000]);
        assert_eq!(ladder.step(u32::MAX), Duration::from_secs(30));
    }

    #[test]
    fn jitter_only_lengthens_and_differs() {
        let ladder = Ladder::new();
        let delays: Vec<_> = (0..100).map(|_| ladder.delay(4)).collect();
        assert!(delays.iter().all(|delay| (800..=1_600).contains(&delay.as_millis())), "{delays:?}");
        assert!(delays.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
