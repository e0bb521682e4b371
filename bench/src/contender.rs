//! A contender: one library doing one job, under a name.

use crate::Result;
use crate::stopwatch::Stopwatch;

pub mod flux;
pub mod http;
pub mod mpsc;
pub mod nats;
#[cfg(feature = "telemetry")]
pub mod observed;
pub mod omniqueue;
pub mod processor;
pub mod ruststream;
pub mod service;
pub mod stages;
pub mod stream;
pub mod trie;

/// One library doing one job.
///
/// Most libraries do the same jobs, so they implement [`service::Service`] and are wrapped in
/// [`service::Driven`]. What has a job of its own implements this: set up outside of
/// [`Stopwatch::measure`], work inside.
pub trait Contender: Send + Sync {
    /// The name in tables, limits and on the command line. Unique over all suites.
    fn name(&self) -> &'static str;

    /// Sends `messages` and returns when the last is handled.
    ///
    /// # Errors
    ///
    /// When the library refuses to start or to take a message.
    fn run(&self, messages: u64, stopwatch: &mut Stopwatch) -> Result;
}
