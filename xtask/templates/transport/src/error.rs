//! What the client library's errors mean, by who must act.

use std::fmt;

use flux_core::{Error, ErrorKind};

/// What the client fails with. Put the client library's own error in its place.
#[derive(Debug)]
pub(crate) enum NativeError {
    /// Nothing was subscribed.
    NotRead { filter: String },
    /// Nothing was sent.
    NotWritten { bytes: usize },
    /// The payload is over the limit.
    TooLarge { bytes: usize, limit: usize },
}

/// The one table from native errors to kinds.
const fn kind(native: &NativeError) -> ErrorKind {
    match native {
        NativeError::NotRead { .. } | NativeError::NotWritten { .. } => ErrorKind::Unsupported,
        NativeError::TooLarge { .. } => ErrorKind::TooLarge,
    }
}

/// The error of an operation, with the native one as its cause.
pub(crate) fn failed(operation: &'static str, native: NativeError) -> Error {
    Error::new(kind(&native), "").with_operation(operation).with_source(native)
}

impl fmt::Display for NativeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRead { filter } => write!(f, "nothing subscribes to `{filter}` yet"),
            Self::NotWritten { bytes } => write!(f, "nothing sends these {bytes} bytes yet"),
            Self::TooLarge { bytes, limit } => write!(f, "a payload of {bytes} bytes is over the limit of {limit}"),
        }
    }
}

impl std::error::Error for NativeError {}
