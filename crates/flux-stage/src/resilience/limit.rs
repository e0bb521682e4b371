//! Calls a stage no more often than a rate allows.

mod bucket;
mod limiter;
mod rate;

/// What the limiter is built on. The model checker builds it on its own atomics, locks and clock.
mod sync {
    pub(super) use std::sync::Mutex;
    pub(super) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

    pub(super) use arc_swap::ArcSwap;
    /// Served in the order of asking.
    pub(super) use tokio::sync::Mutex as Line;
    pub(super) use tokio::sync::Notify;
    pub(super) use tokio::time::{Instant, timeout, timeout_at};
}

use std::time::Duration;

use flux_core::Stage;

pub use self::limiter::Limiter;
pub use self::rate::Rate;
use crate::{Describe, RateLimited, Shape};

/// Calls a stage no more often than its [`Limiter`] allows, and answers [`RateLimited`] to what is too much.
///
/// It refuses at once unless [`with_wait`](Self::with_wait) says how long a call may wait. The stage's error must convert from
/// [`RateLimited`]; [`GuardError`](crate::GuardError) is for those that do not. A call that is let through at once allocates
/// nothing. Built on governor's cell rate algorithm.
///
/// ```
/// use flux_core::{Error, ErrorKind, Stage};
/// use flux_stage::{Rate, RateLimit};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// async fn send(n: u32) -> Result<u32, Error> {
///     Ok(n)
/// }
/// let stage = RateLimit::new(send, Rate::per_minute(60).with_burst(2));
/// assert!(stage.process(1).await.is_ok() && stage.process(2).await.is_ok());
/// assert_eq!(stage.process(3).await.unwrap_err().kind(), ErrorKind::Full);
///
/// stage.limiter().set_rate(Rate::per_second(1_000)); // at any time
/// # }
/// ```
///
/// # Cancel safety
/// A call that is dropped while it waits leaves the line and takes nothing.
#[derive(Debug, Clone)]
pub struct RateLimit<S> {
    stage: S,
    limiter: Limiter,
    wait: Duration,
}

impl<S> RateLimit<S> {
    /// Calls `stage` at most at a [`Rate`] of its own, or as a [`Limiter`] allows that it shares with other stages.
    pub fn new(stage: S, limiter: impl Into<Limiter>) -> Self {
        Self { stage, limiter: limiter.into(), wait: Duration::ZERO }
    }

    /// How long a call may wait for its turn. The default is zero: it is refused.
    #[must_use]
    pub const fn with_wait(mut self, at_most: Duration) -> Self {
        self.wait = at_most;
        self
    }

    /// The limiter: its rate, and what other stages can share.
    pub const fn limiter(&self) -> &Limiter {
        &self.limiter
    }
}

impl<In, S> Stage<In> for RateLimit<S>
where
    In: Send,
    S: Stage<In, Error: From<RateLimited>>,
{
    type Out = S::Out;
    type Error = S::Error;

    async fn process(&self, input: In) -> Result<S::Out, S::Error> {
        self.limiter.take_within(self.wait).await?;
        self.stage.process(input).await
    }
}

impl<S: Describe> Describe for RateLimit<S> {
    fn describe(&self) -> Shape {
        Shape::around("rate limit", self.stage.describe())
    }
}
