//! The one table from the client's errors to flux's kinds.

use std::error::Error as StdError;

use async_nats::ConnectErrorKind;
use async_nats::client::{DrainError, FlushError, PublishErrorKind, RequestErrorKind, SubscribeErrorKind};
use flux_core::{Error, ErrorKind};

const CLOSED: &str = "the connection to the server was closed";

/// What a failure to publish means.
#[must_use]
pub fn from_publish(error: async_nats::PublishError) -> Error {
    match error.kind() {
        PublishErrorKind::InvalidSubject => caused(ErrorKind::InvalidSubject, "", error),
        PublishErrorKind::MaxPayloadExceeded => caused(ErrorKind::TooLarge, "", error),
        PublishErrorKind::Send => closed(error),
    }
}

/// What a failure to subscribe means.
#[must_use]
pub fn from_subscribe(error: async_nats::SubscribeError) -> Error {
    match error.kind() {
        SubscribeErrorKind::InvalidQueueName => caused(ErrorKind::InvalidInput, "not a name for a queue group", error),
        SubscribeErrorKind::InvalidSubject => caused(ErrorKind::InvalidSubject, "", error),
        SubscribeErrorKind::Other => closed(error),
    }
}

/// What a failure to ask means.
#[must_use]
pub fn from_request(error: async_nats::RequestError) -> Error {
    match error.kind() {
        RequestErrorKind::InvalidSubject => caused(ErrorKind::InvalidSubject, "", error),
        RequestErrorKind::MaxPayloadExceeded => caused(ErrorKind::TooLarge, "", error),
        RequestErrorKind::NoResponders => Error::new(ErrorKind::NoResponder, ""),
        RequestErrorKind::Other => closed(error),
        RequestErrorKind::TimedOut => Error::new(ErrorKind::TimedOut, ""),
    }
}

/// What a failure to connect means.
#[must_use]
pub fn from_connect(error: async_nats::ConnectError) -> Error {
    let kind = match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Tls => {
            ErrorKind::Rejected
        }
        ConnectErrorKind::Dns | ConnectErrorKind::Io | ConnectErrorKind::MaxReconnects => ErrorKind::Unavailable,
        ConnectErrorKind::ServerParse => ErrorKind::InvalidInput,
        ConnectErrorKind::TimedOut => ErrorKind::TimedOut,
    };
    caused(kind, "", error).with_operation("connect")
}

/// What a failure to flush means.
#[must_use]
pub fn from_flush(error: FlushError) -> Error {
    closed(error)
}

/// What a failure to drain means.
#[must_use]
pub fn from_drain(error: DrainError) -> Error {
    closed(error)
}

/// The client's task has ended, so nothing can be handed to it any more.
pub fn closed(source: impl StdError + Send + Sync + 'static) -> Error {
    caused(ErrorKind::Closed, CLOSED, source)
}

fn caused(kind: ErrorKind, text: &'static str, source: impl StdError + Send + Sync + 'static) -> Error {
    Error::new(kind, text).with_source(source)
}
