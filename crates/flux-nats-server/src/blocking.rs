//! Blocking work of an async call: processes and deadlines that no runtime's clock must move.

use std::panic;
use std::thread;
use std::time::{Duration, Instant};

use flux_core::{Error, ErrorKind, Result};

/// Runs `work` where it may block. It goes on to its end when the future is dropped.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(payload) => panic::resume_unwind(payload),
            Err(_) => Err(Error::new(ErrorKind::Closed, "the tokio runtime is shutting down")),
        },
    }
}

/// How often a process, its log or its port is looked at.
const STEP: Duration = Duration::from_millis(5);

/// Looks again and again; `None` when nothing came of it in time. Only for what [`run`] runs.
pub(crate) fn poll<T>(patience: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        if Instant::now() > deadline {
            return Ok(None);
        }
        #[allow(
            clippy::disallowed_methods,
            reason = "a process tells nothing without being asked, and no task waits here"
        )]
        thread::sleep(STEP);
    }
}
