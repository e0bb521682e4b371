//! The thread that talks to the collector, so that a program that hangs, or waits for its flush, does not keep it from it.

use std::io;
use std::thread::{self, JoinHandle};

use flux_core::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A runtime of its own on a thread of its own. Dropped, it ends; nothing waits for the collector then.
#[derive(Debug)]
pub(crate) struct Background {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    pub(crate) fn start() -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build().map_err(no_thread)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let run = move || {
            let _ = runtime.block_on(stopped);
            // A name that is still being looked up would hold the thread.
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().name("flux-telemetry".to_owned()).spawn(run).map_err(no_thread)?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

fn no_thread(error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "no thread for telemetry could be started").with_source(error)
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by its own thread.
            let _ = thread.join();
        }
    }
}
