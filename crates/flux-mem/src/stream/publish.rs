//! Publishing into a stream.

use std::sync::Arc;

use bytes::Bytes;
use flux_core::{Message, Publisher, Result};

use super::MemStream;

/// The message is in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The stream's name.
    pub stream: Arc<str>,
    /// The message's place in it, from 1.
    pub sequence: u64,
    /// Whether a message with the same `X-Message-ID` was stored within the duplicate window; this one was not stored again,
    /// and `sequence` is the first one's.
    pub duplicate: bool,
}

/// # Errors
/// [`ErrorKind::Rejected`](flux_core::ErrorKind::Rejected) at once for a subject the stream does not take;
/// [`ErrorKind::TooLarge`](flux_core::ErrorKind::TooLarge), [`ErrorKind::Full`](flux_core::ErrorKind::Full) and
/// [`ErrorKind::Closed`](flux_core::ErrorKind::Closed).
impl Publisher<Bytes> for MemStream {
    type Receipt = Stored;

    async fn send(&self, message: Message<Bytes>) -> Result<Stored> {
        let subject = message.subject.clone();
        let stored = self.0.now(|state, now| state.store(message, now));
        match stored {
            Ok((sequence, duplicate)) => Ok(Stored { stream: Arc::clone(&self.0.name), sequence, duplicate }),
            Err(error) => Err(error.with_operation("publish").with_subject(subject)),
        }
    }
}
