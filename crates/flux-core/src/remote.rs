//! An error that travelled back in a reply.

use std::borrow::Cow;
use std::fmt;

use crate::Status;

/// What a responder answered instead of a response.
///
/// On the wire it is the pair `Nats-Service-Error` / `Nats-Service-Error-Code` of NATS services (ADR-32) together with
/// `X-Status` and `X-Error-Code`. A handler answers with one by returning it, wrapped in a
/// [`Failure`](crate::Failure) or on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteError {
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    details: Option<bytes::Bytes>,
    refused: bool,
}

impl RemoteError {
    /// The code of an answer whose handler gave none: it failed.
    pub const INTERNAL: &'static str = "500";
    /// The code of an answer to a request whose content type is one that the responder does not read.
    pub const CONTENT_TYPE: &'static str = "415";
    /// The code of an answer to a request whose payload is larger than the responder's codec takes.
    pub const TOO_LARGE: &'static str = "413";
    /// The code of an answer to a request whose signature is missing, wrong or too old.
    pub const UNSIGNED: &'static str = "401";
    /// The code of an answer to a request whose payload did not decode.
    pub const UNDECODABLE: &'static str = "400";

    /// An answer with a machine-readable `code` and a `message` for people: the responder could not do it.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: code.into(), message: message.into(), details: None, refused: false }
    }

    /// As [`new`](Self::new), for a request that is wrong itself: the same one will be refused again.
    pub fn fail(code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { refused: true, ..Self::new(code, message) }
    }

    /// Adds an encoded body, as the responder wishes to explain itself.
    #[must_use]
    pub fn with_details(mut self, details: impl Into<bytes::Bytes>) -> Self {
        self.details = Some(details.into());
        self
    }

    /// [`Status::Fail`] for a request that was refused, else [`Status::Error`].
    #[must_use]
    pub const fn status(&self) -> Status {
        if self.refused { Status::Fail } else { Status::Error }
    }

    /// The machine-readable code, for example `404` or `unknown_carrier`.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The text for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The encoded body, if there is one.
    #[must_use]
    pub fn details(&self) -> Option<&bytes::Bytes> {
        self.details.as_ref()
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for RemoteError {}
