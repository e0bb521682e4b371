//! At most one call in each interval.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use flux_core::Stage;
use tokio::time::Instant;

use crate::{Describe, Shape};

/// Runs the stage at most once in each interval and leaves out what comes in between: `Some(output)` or `None`.
///
/// `RateLimit` refuses or delays instead.
///
/// ```
/// use std::time::Duration;
///
/// use flux_core::Stage;
/// use flux_stage::Throttle;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # async fn show(percent: u32) -> Result<(), String> { Ok(()) }
/// let progress = Throttle::new(show, Duration::from_secs(1));
/// assert_eq!(progress.process(1).await, Ok(Some(())));
/// assert_eq!(progress.process(2).await, Ok(None));
/// # }
/// ```
#[derive(Debug)]
pub struct Throttle<S> {
    stage: S,
    interval: Duration,
    last: Mutex<Option<Instant>>,
}

impl<S> Throttle<S> {
    /// Runs `stage` once in each `interval`, which begins with a call.
    pub const fn new(stage: S, interval: Duration) -> Self {
        Self { stage, interval, last: Mutex::new(None) }
    }

    fn is_due(&self) -> bool {
        let now = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| now.saturating_duration_since(last) >= self.interval);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

impl<In: Send, S: Stage<In>> Stage<In> for Throttle<S> {
    type Out = Option<S::Out>;
    type Error = S::Error;

    async fn process(&self, input: In) -> Result<Option<S::Out>, S::Error> {
        if self.is_due() { self.stage.process(input).await.map(Some) } else { Ok(None) }
    }
}

impl<S: Describe> Describe for Throttle<S> {
    fn describe(&self) -> Shape {
        Shape::around("throttle", self.stage.describe())
    }
}
