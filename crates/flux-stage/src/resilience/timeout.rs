//! Gives up on a stage that takes too long.

use std::time::Duration;

use flux_core::Stage;
use tokio::time;

use crate::{Describe, Shape, TimedOut};

/// Drops a stage that has not finished in time and answers [`TimedOut`].
///
/// The stage's error must convert from [`TimedOut`]; [`GuardError`](crate::GuardError) is for those that do not.
///
/// ```
/// use std::time::Duration;
///
/// use flux_core::{Error, ErrorKind, Stage};
/// use flux_stage::Timeout;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// async fn hangs(_: u32) -> Result<u32, Error> {
///     std::future::pending().await
/// }
/// let stage = Timeout::new(hangs, Duration::from_millis(5));
/// assert_eq!(stage.process(1).await.unwrap_err().kind(), ErrorKind::TimedOut);
/// # }
/// ```
///
/// # Cancel safety
/// The stage inside is dropped where it was, both when the time is up and when this one is dropped.
#[derive(Debug, Clone)]
pub struct Timeout<S> {
    stage: S,
    limit: Duration,
}

impl<S> Timeout<S> {
    /// Allows each call of `stage` so much time.
    pub const fn new(stage: S, limit: Duration) -> Self {
        Self { stage, limit }
    }
}

impl<In, S> Stage<In> for Timeout<S>
where
    In: Send,
    S: Stage<In, Error: From<TimedOut>>,
{
    type Out = S::Out;
    type Error = S::Error;

    async fn process(&self, input: In) -> Result<S::Out, S::Error> {
        match time::timeout(self.limit, self.stage.process(input)).await {
            Ok(done) => done,
            Err(_elapsed) => Err(TimedOut::new(self.limit).into()),
        }
    }
}

impl<S: Describe> Describe for Timeout<S> {
    fn describe(&self) -> Shape {
        Shape::around("timeout", self.stage.describe())
    }
}
