//! A second call when the first one is slow.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use flux_core::Stage;
use tokio::time::{Instant, sleep};

use crate::{Describe, Shape};

/// Calls the stage again when it has not answered after a while, and takes the first success.
///
/// For stages that can be called twice with the same input, such as reads. What is still running is dropped. An error counts
/// only when no other call is in flight. The input is cloned for each call. A first call that is fast allocates nothing.
///
/// ```
/// use std::time::Duration;
///
/// use flux_core::Stage;
/// use flux_stage::Hedge;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # async fn read(key: u32) -> Result<u32, String> { Ok(key) }
/// let stage = Hedge::new(read, Duration::from_millis(20)); // about the slowest of twenty calls
/// assert_eq!(stage.process(1).await, Ok(1));
/// # }
/// ```
///
/// # Cancel safety
/// All calls in flight are dropped.
#[derive(Debug, Clone)]
pub struct Hedge<S> {
    stage: S,
    after: Duration,
    calls: u32,
}

impl<S> Hedge<S> {
    /// Calls `stage` a second time when it has not answered `after` so long.
    pub const fn new(stage: S, after: Duration) -> Self {
        Self { stage, after, calls: 2 }
    }

    /// How many calls there may be for one input, the first included, each so long after the one before it; at least one.
    /// The default is 2.
    #[must_use]
    pub const fn with_calls(mut self, at_most: u32) -> Self {
        self.calls = at_most;
        self
    }
}

impl<In, S> Stage<In> for Hedge<S>
where
    In: Clone + Send + Sync,
    S: Stage<In>,
{
    type Out = S::Out;
    type Error = S::Error;

    async fn process(&self, input: In) -> Result<S::Out, S::Error> {
        let mut first = pin!(self.stage.process(input.clone()));
        let mut is_first_running = true;
        let mut others = Vec::new();
        let mut timer = pin!(sleep(self.after));
        let mut started = 1;
        poll_fn(|cx| {
            let mut last = None;
            if is_first_running && let Poll::Ready(done) = first.as_mut().poll(cx) {
                is_first_running = false;
                match done {
                    Ok(out) => return Poll::Ready(Ok(out)),
                    Err(error) => last = Some(error),
                }
            }
            loop {
                if let Some(out) = poll_all(&mut others, &mut last, cx) {
                    return Poll::Ready(Ok(out));
                }
                if let Some(error) = last.take()
                    && !is_first_running
                    && others.is_empty()
                {
                    return Poll::Ready(Err(error));
                }
                if started >= self.calls || timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                started += 1;
                others.push(Box::pin(self.stage.process(input.clone())));
                timer.as_mut().reset(Instant::now() + self.after);
            }
        })
        .await
    }
}

impl<S: Describe> Describe for Hedge<S> {
    fn describe(&self) -> Shape {
        Shape::around("hedge", self.stage.describe())
    }
}

/// Polls each of `calls`: returns the first success, and moves those that failed out, the error of one into `last`.
fn poll_all<T, E, F>(calls: &mut Vec<Pin<Box<F>>>, last: &mut Option<E>, cx: &mut Context<'_>) -> Option<T>
where
    F: Future<Output = Result<T, E>>,
{
    let mut success = None;
    calls.retain_mut(|call| {
        if success.is_some() {
            return true;
        }
        match call.as_mut().poll(cx) {
            Poll::Pending => return true,
            Poll::Ready(Ok(out)) => success = Some(out),
            Poll::Ready(Err(error)) => *last = Some(error),
        }
        false
    });
    success
}
