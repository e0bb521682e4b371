//! The last call of a burst.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flux_core::Stage;
use tokio::sync::Notify;
use tokio::time;

use crate::{Describe, Shape};

/// Runs the stage once nothing else has come for a while: `Some(output)` for the last input of a burst, `None` for those
/// before it, as soon as the next one comes.
///
/// ```
/// use std::time::Duration;
///
/// use flux_core::Stage;
/// use flux_stage::Debounce;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # async fn save(text: &'static str) -> Result<&'static str, String> { Ok(text) }
/// let stage = Debounce::new(save, Duration::from_millis(5));
/// let (first, last) = tokio::join!(stage.process("fl"), stage.process("flux"));
/// assert_eq!((first, last), (Ok(None), Ok(Some("flux"))));
/// # }
/// ```
///
/// # Cancel safety
/// An input whose call is dropped is not processed, and those it replaced are not either.
#[derive(Debug)]
pub struct Debounce<S> {
    stage: S,
    quiet: Duration,
    calls: AtomicU64,
    replaced: Notify,
}

impl<S> Debounce<S> {
    /// Runs `stage` after `quiet` without another call.
    pub const fn new(stage: S, quiet: Duration) -> Self {
        Self { stage, quiet, calls: AtomicU64::new(0), replaced: Notify::const_new() }
    }

    /// Waits, and says whether nothing came.
    async fn is_last(&self) -> bool
    where
        S: Sync,
    {
        let mine = self.calls.fetch_add(1, Ordering::AcqRel) + 1;
        self.replaced.notify_waiters();
        let replaced = self.replaced.notified();
        let is_last = || self.calls.load(Ordering::Acquire) == mine;
        if !is_last() {
            return false;
        }
        time::timeout(self.quiet, replaced).await.is_err() && is_last()
    }
}

impl<In: Send, S: Stage<In>> Stage<In> for Debounce<S> {
    type Out = Option<S::Out>;
    type Error = S::Error;

    async fn process(&self, input: In) -> Result<Option<S::Out>, S::Error> {
        if self.is_last().await { self.stage.process(input).await.map(Some) } else { Ok(None) }
    }
}

impl<S: Describe> Describe for Debounce<S> {
    fn describe(&self) -> Shape {
        Shape::around("debounce", self.stage.describe())
    }
}
