//! A stage whose calls are tasks of their own.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use flux_core::{Error, ErrorKind, Scope, Stage};
use tokio::task::{AbortHandle, JoinError};

use crate::{Describe, Shape};

/// Runs each call as a task of tokio's, so that calls can use several processors at the same time.
///
/// The one stage that is parallel and not only concurrent: put it inside a `MapEach` or
/// `FanOut`, which bounds how many there are. It pays where a call computes for longer than the few
/// microseconds a task costs. A panic goes on in the caller; the current [`Scope`], trace and metrics travel along.
///
/// ```
/// use flux_core::{Error, Stage};
/// use flux_stage::{MapEach, Spawned};
///
/// async fn square(n: u64) -> Result<u64, Error> { Ok(n * n) }
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let squares = MapEach::new(Spawned::new(square)).with_concurrency(4);
/// assert_eq!(squares.process(vec![1, 2, 3]).await?, [1, 4, 9]);
/// # Ok(()) }
/// ```
///
/// # Cancel safety
/// A dropped future aborts its task, which stops at its next `.await`; what computes until then is not interrupted.
///
/// # Errors
/// [`Stopped`], as the stage's own error type has it, when the runtime shuts down before the task is done.
///
/// # Panics
/// Outside of a runtime of tokio.
pub struct Spawned<S> {
    stage: Arc<S>,
}

impl<S> Spawned<S> {
    /// Each call of `stage` as a task.
    pub fn new(stage: S) -> Self {
        Self { stage: Arc::new(stage) }
    }
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<In, S> Stage<In> for Spawned<S>
where
    In: Send + 'static,
    S: Stage<In, Out: 'static, Error: From<Stopped> + 'static> + 'static,
{
    type Out = S::Out;
    type Error = S::Error;

    async fn process(&self, input: In) -> Result<S::Out, S::Error> {
        let stage = Arc::clone(&self.stage);
        let call = Scope::current().run(async move { stage.process(input).await });
        #[cfg(feature = "observe")]
        let call = crate::observe::carried(call);
        let task = tokio::spawn(call);
        let _abort = AbortOnDrop(task.abort_handle());
        match task.await.map_err(JoinError::try_into_panic) {
            Ok(result) => result,
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            Err(Err(_)) => Err(Stopped.into()),
        }
    }
}

impl<S: Describe> Describe for Spawned<S> {
    fn describe(&self) -> Shape {
        Shape::around("spawned", self.stage.describe())
    }
}

impl<S> Clone for Spawned<S> {
    fn clone(&self) -> Self {
        Self { stage: Arc::clone(&self.stage) }
    }
}

impl<S: fmt::Debug> fmt::Debug for Spawned<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawned").field("stage", &self.stage).finish()
    }
}

/// The runtime stopped before a task was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the runtime stopped before the task was done")
    }
}

impl StdError for Stopped {}

impl From<Stopped> for Error {
    fn from(stopped: Stopped) -> Self {
        Self::new(ErrorKind::Closed, "").with_source(stopped)
    }
}
