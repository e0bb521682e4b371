//! Publishing: from a message to the client's buffer, and from there to the server.

use async_nats::connection::State;
use async_nats::{Request, RequestErrorKind};
use bytes::Bytes;
use flux_core::{Error, ErrorKind, Message, Publisher, Result, Subject};
use tokio::time::timeout;

use crate::{Nats, error, wire};

/// The message is in the client's buffer. Whether the server gets it, [`Nats::flush`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Buffered;

/// The server has taken everything that was sent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flushed;

/// # Delivery
/// At most once. What is in the buffer when the connection breaks may be lost.
///
/// # Ordering
/// One bus keeps the order in which it was asked to send.
///
/// # Cancel safety
/// A future that is dropped before it is done has sent nothing.
///
/// # Errors
/// [`ErrorKind::TooLarge`] before anything is sent, with both sizes. [`ErrorKind::Closed`]. A buffer that is full is not an
/// error: `send` waits, also while the connection is down.
impl Publisher<Bytes> for Nats {
    type Receipt = Buffered;

    async fn send(&self, message: Message<Bytes>) -> Result<Buffered> {
        let Message { subject, headers, payload } = message;
        let to = wire::Borrowed(&subject);
        // Not by `hand_over`: each layer of futures copies the message once more.
        let sent = match self.headers(&headers) {
            None => self.client().publish(to, payload).await,
            Some(headers) => self.client().publish_with_headers(to, headers, payload).await,
        };
        match sent {
            Ok(()) => Ok(Buffered),
            Err(error) => Err(unsent(error, subject)),
        }
    }

    async fn flush(&self) -> Result<()> {
        Self::flush(self).await.map(drop)
    }
}

#[cold]
fn unsent(error: async_nats::client::PublishError, subject: Subject) -> Error {
    error::from_publish(error).with_operation("publish").with_subject(subject)
}

impl Nats {
    /// Waits until the server has taken everything that this bus has sent: one round trip.
    ///
    /// # Cancel safety
    /// Dropping the future only stops waiting.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when the connection is down, and [`ErrorKind::TimedOut`] when no answer came, both after the
    /// request timeout. [`ErrorKind::Closed`].
    pub async fn flush(&self) -> Result<Flushed> {
        let limit = self.config().request_timeout;
        let answered = match timeout(limit, self.round_trip()).await {
            Ok(result) => result,
            Err(_) => Err(self.overdue("no answer from the server within", limit)),
        };
        answered.map(|()| Flushed).map_err(|error| error.with_operation("flush"))
    }

    /// Waits for a message to itself. The server works in the order it is told, so everything before has been done when it comes
    /// back. A client that does not hear itself is told by the server that nobody answers.
    pub(crate) async fn round_trip(&self) -> Result<()> {
        let client = self.client();
        let inbox = client.new_inbox();
        // Not to an inbox that nobody has: a listener to `>` has them all, and then the server says nothing.
        let to_itself = Request::new().timeout(None).inbox(inbox.clone());
        match client.send_request(inbox, to_itself).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == RequestErrorKind::NoResponders => Ok(()),
            Err(error) => Err(error::from_request(error)),
        }
    }

    /// The error of what did not end in time.
    pub(crate) fn overdue(&self, what: &str, limit: std::time::Duration) -> Error {
        match self.client().connection_state() {
            State::Connected => Error::new(ErrorKind::TimedOut, format!("{what} {limit:?}")),
            state => Error::new(ErrorKind::Unavailable, format!("{what} {limit:?}, the connection is {state}")),
        }
    }

    /// Puts a message into the client's buffer, once there is room. The client refuses what is over the server's limit, which
    /// would close the connection.
    pub(crate) async fn hand_over(
        &self,
        subject: async_nats::Subject,
        headers: Option<async_nats::HeaderMap>,
        payload: Bytes,
    ) -> Result<()> {
        // Not by `publish_message`, which copies the whole message several times on its way.
        let sent = match headers {
            None => self.client().publish(subject, payload).await,
            Some(headers) => self.client().publish_with_headers(subject, headers, payload).await,
        };
        sent.map_err(error::from_publish)
    }
}
