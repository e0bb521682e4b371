//! The one table from the server's JetStream errors to flux's kinds.

use std::fmt;

use flux_core::{Error, ErrorKind};
use serde::Deserialize;

/// What the server says when it refuses, as [`Error::source`](std::error::Error::source) of the errors of this crate.
///
/// The codes are listed in the server's `errors.json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ServerError {
    /// The class of the error, as in HTTP.
    pub code: u16,
    /// The error itself, for example 10071 for a wrong last sequence.
    #[serde(default, rename = "err_code")]
    pub error_code: u32,
    /// In words.
    #[serde(default)]
    pub description: String,
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (code {}, error {})", self.description, self.code, self.error_code)
    }
}

impl std::error::Error for ServerError {}

pub(crate) const CONSUMER_EXISTS: [u32; 2] = [10_013, 10_148];
pub(crate) const CONSUMER_NOT_FOUND: u32 = 10_014;
pub(crate) const MESSAGE_NOT_FOUND: u32 = 10_037;
pub(crate) const STREAM_NAME_IN_USE: u32 = 10_058;
pub(crate) const STREAM_NOT_FOUND: u32 = 10_059;

/// JetStream is there, but cannot act: no leader, no quorum, starting up, stream offline.
const NOT_AVAILABLE: [u32; 7] = [10_004, 10_005, 10_008, 10_009, 10_010, 10_118, 10_194];
/// A limit of the account, the server or the stream is reached.
const NO_ROOM: [u32; 8] = [10_002, 10_023, 10_026, 10_027, 10_028, 10_047, 10_120, 10_167];
const TOO_LARGE: [u32; 2] = [10_054, 10_135];
/// The stream could not store a message; the text tells why.
const STORE_FAILED: u32 = 10_077;

impl ServerError {
    pub(crate) fn kind(&self) -> ErrorKind {
        let code = self.error_code;
        if TOO_LARGE.contains(&code) {
            ErrorKind::TooLarge
        } else if NO_ROOM.contains(&code) || code == STORE_FAILED && self.description.contains("maximum") {
            ErrorKind::Full
        } else if NOT_AVAILABLE.contains(&code) || self.code == 503 {
            ErrorKind::Unavailable
        } else {
            ErrorKind::Rejected
        }
    }
}

impl From<ServerError> for Error {
    fn from(error: ServerError) -> Self {
        let kind = error.kind();
        Self::new(kind, format!("the server refused: {}", error.description)).with_source(error)
    }
}

/// The code of what the server said, if it said something.
pub(crate) fn server_code(error: &Error) -> Option<u32> {
    let source = std::error::Error::source(error)?;
    source.downcast_ref::<ServerError>().map(|error| error.error_code)
}

/// What the server answers is not what JetStream would.
pub(crate) fn unreadable(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Other, "the server's answer is not one of JetStream's").with_source(error)
}

/// Nobody answered an API request: there is no JetStream.
pub(crate) fn no_jetstream(error: Error) -> Error {
    match error.kind() {
        ErrorKind::NoResponder => Error::new(
            ErrorKind::Unavailable,
            "no JetStream answers; it is not enabled on this server or account, or it is starting",
        ),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: u16, error_code: u32, description: &str) -> ErrorKind {
        Error::from(ServerError { code, error_code, description: description.into() }).kind()
    }

    #[test]
    fn each_class_of_refusal_has_its_kind() {
        assert_eq!(kind(400, 10_071, "wrong last sequence: 3"), ErrorKind::Rejected);
        assert_eq!(kind(503, 10_077, "maximum messages exceeded"), ErrorKind::Full);
        assert_eq!(kind(400, 10_054, "message size exceeds maximum allowed"), ErrorKind::TooLarge);
        assert_eq!(kind(503, 10_008, "JetStream system temporarily unavailable"), ErrorKind::Unavailable);
        assert_eq!(kind(503, 10_077, "disk failure"), ErrorKind::Unavailable);
    }

    #[test]
    fn the_code_can_be_read_from_the_source() {
        let error = Error::from(ServerError { code: 404, error_code: STREAM_NOT_FOUND, description: "no".into() });
        assert_eq!(server_code(&error), Some(STREAM_NOT_FOUND));
        assert_eq!(server_code(&Error::new(ErrorKind::Other, "")), None);
    }
}
