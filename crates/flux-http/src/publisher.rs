//! Publishing: from a message to the peer's answer.

use bytes::Bytes;
use flux_core::{Message, Publisher, Result};
use http::{HeaderMap, StatusCode};
use hyper_util::client::legacy::connect::Connect;

use crate::problem::Problem;
use crate::{HttpClient, error};

/// The peer answered with success: over flux, every subscriber's handler has succeeded with 204, or has the message in its
/// queue with 202.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {
    /// The status, from 200 to 299.
    pub status: StatusCode,
}

/// # Delivery
/// At most once for one call: nothing is sent again. The outcome is the answer, so whoever sends again after an error delivers at
/// least once.
///
/// # Ordering
/// None between calls at the same time. A message that is sent after another's receipt arrives after it.
///
/// # Cancel safety
/// A future that is dropped may have sent its message or not.
///
/// # Errors
/// By the status, as in [`error::kind`]; with a `Retry-After`, [`Error::retry_after`](flux_core::Error::retry_after) has the
/// delay. [`Unavailable`](flux_core::ErrorKind::Unavailable) without a connection, and
/// [`TimedOut`](flux_core::ErrorKind::TimedOut) after the client's request timeout; the message may have arrived then.
/// [`InvalidInput`](flux_core::ErrorKind::InvalidInput) for a header that HTTP cannot carry or sets itself.
impl<C: Connect + Clone + Send + Sync + 'static> Publisher<Bytes> for HttpClient<C> {
    type Receipt = Accepted;

    async fn send(&self, message: Message<Bytes>) -> Result<Accepted> {
        let answer = match self.post(&message, HeaderMap::new(), self.config().request_timeout).await {
            Ok(answer) if answer.status.is_success() => return Ok(Accepted { status: answer.status }),
            Ok(answer) => error::of_message(&Problem::read(answer.status, &answer.headers, &answer.body)),
            Err(error) => error,
        };
        Err(answer.with_operation("publish").with_subject(message.subject))
    }
}
