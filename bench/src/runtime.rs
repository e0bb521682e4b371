//! The two tokio runtimes every contender runs on.

use tokio::runtime::{Builder, Runtime};

use crate::Result;

/// One thread: one order of execution, the same instructions on every run.
///
/// # Errors
///
/// When the operating system refuses the runtime its resources.
pub fn single() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// Two worker threads, which is what the limits are stated for.
///
/// # Errors
///
/// When the operating system refuses the threads.
pub fn workers() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
