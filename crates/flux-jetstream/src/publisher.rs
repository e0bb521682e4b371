//! Publishing into a stream: what a message asks for, and what the server says it did.

mod options;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::client::Request;
use bytes::Bytes;
use flux_core::{Error, ErrorKind, Message, Publisher, Result};
use tokio::time::{Instant, sleep};

use crate::JsStream;
use crate::wire::{self, Receipt};

pub use options::{PublishOptions, Schedule};

/// Pauses between attempts to publish a message with an id: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);

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

/// # Delivery
/// A [`Stored`] receipt is the server's word. `X-Message-ID` is also sent as `Nats-Msg-Id`, by which the server deduplicates. A message
/// with an id is sent again when the answer is lost or the stream has no leader, for up to twice the timeout; one without is
/// not, because it could be stored twice.
///
/// # Ordering
/// Messages sent one after the other are stored in that order.
///
/// # Cancel safety
/// A future that is dropped may have stored its message.
///
/// # Errors
/// At once: [`ErrorKind::Rejected`] for a subject the stream does not take, [`ErrorKind::TooLarge`] with both sizes, and
/// [`ErrorKind::NoResponder`] when the stream is not there any more. [`ErrorKind::Rejected`] for an expectation that failed,
/// [`ErrorKind::Full`], [`ErrorKind::Unavailable`], [`ErrorKind::TimedOut`] and [`ErrorKind::Closed`].
impl Publisher<Bytes> for JsStream {
    type Receipt = Stored;

    async fn send(&self, message: Message<Bytes>) -> Result<Stored> {
        let stored = match self.check(&message) {
            Ok(()) => self.store(&message).await,
            Err(error) => Err(error),
        };
        stored.map_err(|error| error.with_operation("publish").with_subject(message.subject))
    }

    /// Waits until the server has taken everything that was sent before, settlements included.
    async fn flush(&self) -> Result<()> {
        self.jetstream().nats().flush().await.map(drop)
    }
}

impl JsStream {
    /// What can be refused without asking the server.
    pub(crate) fn check(&self, message: &Message<Bytes>) -> Result<()> {
        if !self.takes(&message.subject) {
            let text = format!("stream `{}` does not take this subject", self.name());
            return Err(Error::new(ErrorKind::Rejected, text));
        }
        Ok(())
    }

    async fn store(&self, message: &Message<Bytes>) -> Result<Stored> {
        let first = self.attempt(message).await;
        let Err(error) = first else { return first };
        let unsure = matches!(error.kind(), ErrorKind::NoResponder | ErrorKind::TimedOut | ErrorKind::Unavailable);
        if unsure && message.id().is_some() { self.store_again(message, error).await } else { Err(error) }
    }

    async fn store_again(&self, message: &Message<Bytes>, mut error: Error) -> Result<Stored> {
        let until = Instant::now() + self.jetstream().timeout() * 2;
        let mut pause = FIRST_PAUSE;
        loop {
            if error.kind() == ErrorKind::NoResponder && self.is_gone().await {
                return Err(error);
            }
            if Instant::now() + pause > until {
                return Err(error);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
            error = match self.attempt(message).await {
                Err(error) if error.is_retryable() && error.kind() != ErrorKind::Full => error,
                done => return done,
            };
        }
    }

    /// Whether the server knows for certain that there is no such stream.
    async fn is_gone(&self) -> bool {
        matches!(self.jetstream().find_stream(self.name()).await, Ok(None))
    }

    async fn attempt(&self, message: &Message<Bytes>) -> Result<Stored> {
        let mut request = Request::new().payload(message.payload.clone()).timeout(Some(self.jetstream().timeout()));
        if let Some(headers) = wire::headers(self.jetstream().nats(), message) {
            request = request.headers(headers);
        }
        let subject = flux_nats::wire::subject(&message.subject);
        match self.jetstream().client().send_request(subject, request).await {
            Ok(answer) => self.stored(&answer.payload),
            Err(error) => Err(no_stream(flux_nats::error::from_request(error))),
        }
    }

    /// Reads a receipt.
    pub(crate) fn stored(&self, payload: &[u8]) -> Result<Stored> {
        let receipt = Receipt::read(payload)?;
        let own = self.shared_name();
        let stream = if receipt.stream == &**own { Arc::clone(own) } else { receipt.stream.into() };
        Ok(Stored { stream, sequence: receipt.sequence, duplicate: receipt.duplicate })
    }
}

/// Nobody answered a message: no stream takes it.
pub(crate) fn no_stream(error: Error) -> Error {
    match error.kind() {
        ErrorKind::NoResponder => Error::new(ErrorKind::NoResponder, "no stream takes this subject right now"),
        _ => error,
    }
}

impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let again = if self.duplicate { ", a duplicate" } else { "" };
        write!(f, "{} {}{again}", self.stream, self.sequence)
    }
}
