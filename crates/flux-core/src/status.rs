//! How an answer says what it is.

use std::fmt;

use crate::{Headers, header};

/// How a request went, as `X-Status` says it.
///
/// An answer without that header is a [`Success`](Self::Success), unless it carries the headers of an error (NATS services,
/// ADR-32). A requester gets [`Fail`](Self::Fail) and [`Error`](Self::Error) as an [`ErrorKind::Remote`](crate::ErrorKind::Remote), and can
/// tell them apart by [`RemoteError::status`](crate::RemoteError::status).
///
/// ```
/// use flux_core::{Message, Status, header, subject};
///
/// let answer = Message::to(subject!("quotes.get"), 9.5).with_header(header::STATUS, "partial")?;
/// assert_eq!(Status::of(&answer.headers), Some(Status::Partial));
/// # Ok::<(), flux_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// The responder could not do it: its fault, and perhaps only for now.
    Error,
    /// The request was refused: the same one will be refused again.
    Fail,
    /// Part of it was done; `X-Error-Code` says what is missing.
    Partial,
    /// It was done.
    Success,
}

impl Status {
    /// The status as it stands in `X-Status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Fail => "fail",
            Self::Partial => "partial",
            Self::Success => "success",
        }
    }

    /// What `X-Status` says; `None` without it, and for a word that is none of these.
    #[must_use]
    pub fn of(headers: &Headers) -> Option<Self> {
        let said = headers.get(&header::STATUS)?;
        let all = [Self::Error, Self::Fail, Self::Partial, Self::Success];
        all.into_iter().find(|status| status.as_str().eq_ignore_ascii_case(said))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
