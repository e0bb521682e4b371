//! How many messages to take ahead of the handlers.

use std::time::Duration;

use tokio::time::Instant;

/// Payloads taken ahead come to about this many bytes at most.
const BYTES: usize = 8 << 20;

/// Learns from what was settled lately how much will be settled soon.
///
/// A message that waits here grows old while its ack wait runs. So no more are taken ahead than the handlers finished within
/// a tenth of the ack wait just now, or within a second.
#[derive(Debug)]
pub(crate) struct Pace {
    /// `None` when nothing has to be settled.
    window: Option<Duration>,
    most: usize,
    since: Instant,
    settled_before: u64,
    last_window: usize,
    mean_bytes: usize,
}

impl Pace {
    pub(crate) fn new(least_wait: Option<Duration>, most: usize, now: Instant) -> Self {
        let window = least_wait.map(|wait| (wait / 10).min(Duration::from_secs(1)).max(Duration::from_millis(1)));
        Self { window, most, since: now, settled_before: 0, last_window: 0, mean_bytes: 0 }
    }

    /// A message of this size has come.
    pub(crate) fn weigh(&mut self, bytes: usize) {
        self.mean_bytes = (self.mean_bytes * 15 + bytes) / 16;
    }

    /// No target is higher than this.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// How many messages may be on their way and waiting together; at least 1. `settled` counts all that were so far.
    pub(crate) fn target(&mut self, settled: u64, now: Instant) -> usize {
        let most = self.most.min(BYTES / self.mean_bytes.max(1)).max(1);
        let Some(window) = self.window else { return most };
        let elapsed = now.saturating_duration_since(self.since);
        let mut done = usize::try_from(settled - self.settled_before).unwrap_or(usize::MAX);
        if elapsed >= window {
            let share = window.as_secs_f64() / elapsed.as_secs_f64();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                clippy::cast_sign_loss,
                reason = "an estimate, and never negative"
            )]
            let scaled = (done as f64 * share) as usize;
            (self.since, self.settled_before, self.last_window, done) = (now, settled, scaled, 0);
        }
        self.last_window.max(done).clamp(1, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Option<Duration> = Some(Duration::from_secs(1));

    fn after(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn slow_handlers_get_one_at_a_time() {
        let start = Instant::now();
        let mut pace = Pace::new(SECOND, 500, start);
        for settled in 0..100 {
            assert_eq!(pace.target(settled, after(start, settled * 150)), 1);
        }
    }

    #[test]
    fn fast_handlers_soon_get_all_they_can_take() {
        let start = Instant::now();
        let mut pace = Pace::new(SECOND, 500, start);
        let mut settled = 0;
        for micros in 0..20 {
            settled += pace.target(settled, start + Duration::from_micros(micros)) as u64;
        }
        assert_eq!(pace.target(settled, after(start, 1)), 500);
    }

    #[test]
    fn what_was_fast_and_is_slow_gets_one_again_after_two_windows() {
        let start = Instant::now();
        let mut pace = Pace::new(SECOND, 500, start);
        assert_eq!(pace.target(5_000, after(start, 100)), 500);
        assert_eq!(pace.target(5_001, after(start, 200)), 1);
        assert_eq!(pace.target(5_001, after(start, 201)), 1);
    }

    #[test]
    fn many_workers_that_begin_together_are_no_sign_of_speed() {
        let start = Instant::now();
        let mut pace = Pace::new(SECOND, 500, start);
        assert!((0..64).all(|_| pace.target(0, start) == 1), "nothing was settled yet");
    }

    #[test]
    fn large_payloads_are_not_taken_ahead_by_the_hundred() {
        let start = Instant::now();
        let mut pace = Pace::new(None, 500, start);
        assert_eq!(pace.target(0, start), 500);
        (0..100).for_each(|_| pace.weigh(4 << 20));
        assert_eq!(pace.target(0, start), 2);
    }
}
