//! What keeps telemetry going, and flushes it at the end.

use std::fmt;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use flux_core::{Error, ErrorKind, Result};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};

#[cfg(feature = "_otlp")]
use crate::background::Background;
use crate::providers::Providers;

/// Telemetry that is set up. Keep it until the end of `main`: dropped, it sends what is left, for as long as
/// [`with_flush_limit`](crate::Setup::with_flush_limit) allows, and ends.
///
/// Dropping blocks the thread for that long at most. Sending goes on on a thread of its own, so it works also where this
/// thread is the only one of its runtime.
#[must_use = "telemetry ends when the guard is dropped"]
pub struct Guard {
    providers: Providers,
    limit: Duration,
    ended: bool,
    #[cfg(feature = "_otlp")]
    background: Option<Background>,
}

impl Guard {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            providers: Providers::default(),
            limit,
            ended: false,
            #[cfg(feature = "_otlp")]
            background: None,
        }
    }

    /// One that guards nothing.
    pub(crate) fn idle() -> Self {
        Self::new(Duration::ZERO)
    }

    pub(crate) fn with_providers(mut self, providers: Providers) -> Self {
        self.providers = providers;
        self
    }

    #[cfg(feature = "_otlp")]
    pub(crate) fn with_background(mut self, background: Option<Background>) -> Self {
        self.background = background;
        self
    }

    pub(crate) fn install(&self) {
        self.providers.install();
    }

    /// Sends what has been recorded so far, and goes on. Blocks until it is done or the limit is over.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] at the limit, [`ErrorKind::Unavailable`] when the collector did not take it.
    pub fn flush(&self) -> Result<()> {
        self.within_limit(Providers::flush)
    }

    /// Sends what is left and ends, as dropping does, and says how that went.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn shutdown(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        self.within_limit(Providers::shutdown)
    }

    /// On a thread of its own, because OpenTelemetry's limits are not all kept when a collector accepts and then is silent.
    fn within_limit(&self, work: fn(&Providers) -> OTelSdkResult) -> Result<()> {
        if self.providers.is_empty() {
            return Ok(());
        }
        let (tell, told) = mpsc::sync_channel(1);
        let providers = self.providers.clone();
        let run = move || {
            // Nobody waits any more when the limit is over.
            let _ = tell.send(work(&providers));
        };
        let thread = thread::Builder::new().name("flux-telemetry-flush".to_owned()).spawn(run);
        thread.map_err(|error| Error::new(ErrorKind::Unavailable, "no thread for the flush").with_source(error))?;
        match told.recv_timeout(self.limit) {
            Ok(Ok(()) | Err(OTelSdkError::AlreadyShutdown)) => Ok(()),
            Ok(Err(error)) => {
                Err(Error::new(ErrorKind::Unavailable, "the collector did not take the telemetry").with_source(error))
            }
            Err(_) => Err(Error::new(ErrorKind::TimedOut, "the collector did not take the telemetry in time")),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // There is nobody to tell; OpenTelemetry has logged it.
        let _ = self.end();
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("providers", &self.providers).finish_non_exhaustive()
    }
}
