//! The one error type of flux: a kind, an operation, a subject, and what caused it.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::{RemoteError, Status, Subject, Undecodable};

/// The result of everything in flux that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who must act so that the operation can succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The publisher, subscription or transport was closed. Nothing more will come of it.
    Closed,
    /// A payload could not be encoded or decoded, or its content type is another one.
    Codec,
    /// A bounded queue or a stream with a limit is full. Trying later can help.
    Full,
    /// A header, an option or a route is not valid. The program must change.
    InvalidInput,
    /// A subject or filter is not valid. The program must change.
    InvalidSubject,
    /// Nobody answers requests on this subject right now.
    NoResponder,
    /// Anything else; [`source`](std::error::Error::source) has the cause.
    Other,
    /// The peer understood and refused: a limit, a missing permission, a failed expectation.
    Rejected,
    /// The responder answered with an error; [`Error::remote`] has it.
    Remote,
    /// The time that the caller allowed ran out.
    TimedOut,
    /// The payload or the headers are larger than the transport or codec takes.
    TooLarge,
    /// Publisher and subscriber of one subject disagree on its type.
    TypeMismatch,
    /// The peer cannot be reached. Trying later can help.
    Unavailable,
    /// The transport does not offer this operation.
    Unsupported,
}

impl ErrorKind {
    const fn is_retryable(self) -> bool {
        matches!(self, Self::Full | Self::NoResponder | Self::TimedOut | Self::Unavailable | Self::Other)
    }

    /// The kind's name in `snake_case`, as it stands in telemetry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Codec => "codec",
            Self::Full => "full",
            Self::InvalidInput => "invalid_input",
            Self::InvalidSubject => "invalid_subject",
            Self::NoResponder => "no_responder",
            Self::Other => "other",
            Self::Rejected => "rejected",
            Self::Remote => "remote",
            Self::TimedOut => "timed_out",
            Self::TooLarge => "too_large",
            Self::TypeMismatch => "type_mismatch",
            Self::Unavailable => "unavailable",
            Self::Unsupported => "unsupported",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Codec => "payload does not match its codec",
            Self::Full => "full",
            Self::InvalidInput => "invalid input",
            Self::InvalidSubject => "invalid subject",
            Self::NoResponder => "no responder",
            Self::Other => "failed",
            Self::Rejected => "rejected by the peer",
            Self::Remote => "the responder answered with an error",
            Self::TimedOut => "timed out",
            Self::TooLarge => "too large",
            Self::TypeMismatch => "type mismatch",
            Self::Unavailable => "unavailable",
            Self::Unsupported => "not supported by this transport",
        }
    }
}

/// What went wrong in an operation of flux. One pointer wide.
///
/// `Display` prints this level only; walk [`source`](std::error::Error::source) for the causes.
///
/// ```
/// use flux_core::{ErrorKind, Subject};
///
/// let error = Subject::new("orders..created").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidSubject);
/// assert!(!error.is_retryable());
/// assert!(error.to_string().contains("orders..created"));
/// ```
pub struct Error(Box<Repr>);

struct Repr {
    kind: ErrorKind,
    retryable: Option<bool>,
    retry_after: Option<Duration>,
    operation: Option<&'static str>,
    subject: Option<Subject>,
    context: Option<Cow<'static, str>>,
    message: Cow<'static, str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// The lock is never held; it makes a delivery that is only `Send` shareable.
    undecodable: Option<Mutex<Undecodable>>,
}

impl Error {
    /// An error of this kind that explains itself in `message`; an empty message stands for the kind's own text.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Repr {
            kind,
            retryable: None,
            retry_after: None,
            operation: None,
            subject: None,
            context: None,
            message: message.into(),
            source: None,
            undecodable: None,
        }))
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Names what was being done, as a verb: `publish`, `subscribe`, `fetch`.
    #[must_use]
    pub fn with_operation(mut self, operation: &'static str) -> Self {
        self.0.operation = Some(operation);
        self
    }

    /// Names the subject it was done on.
    #[must_use]
    pub fn with_subject(mut self, subject: Subject) -> Self {
        self.0.subject = Some(subject);
        self
    }

    /// Says where it happened, before everything else that this level prints: which route, which module. Nothing else changes, so
    /// that whoever looks still finds the operation, the subject and the cause. What is added later stands further out.
    #[must_use]
    pub fn with_context(mut self, context: impl Into<Cow<'static, str>>) -> Self {
        let outer = context.into();
        self.0.context = Some(match self.0.context.take() {
            Some(inner) => format!("{outer}: {inner}").into(),
            None => outer,
        });
        self
    }

    /// Overrides the kind's own answer to [`is_retryable`](Self::is_retryable).
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = Some(retryable);
        self
    }

    /// States how long the peer asked us to wait before the next attempt. Makes the error retryable.
    #[must_use]
    pub fn with_retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_after = Some(delay);
        self.with_retryable(true)
    }

    /// Adds the delivery that could not be read, for whoever [takes it](Self::take_undecodable).
    #[must_use]
    pub fn with_undecodable(mut self, undecodable: Undecodable) -> Self {
        self.0.undecodable = Some(Mutex::new(undecodable));
        self
    }

    /// Who must act.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call can succeed later without a change to the program or the message.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.retryable.unwrap_or_else(|| self.0.kind.is_retryable())
    }

    /// How long the peer asked us to wait, if it did.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// What was being done.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// The subject it was done on.
    #[must_use]
    pub fn subject(&self) -> Option<&Subject> {
        self.0.subject.as_ref()
    }

    /// The responder's answer, when the kind is [`ErrorKind::Remote`].
    #[must_use]
    pub fn remote(&self) -> Option<&RemoteError> {
        self.source()?.downcast_ref()
    }

    /// Takes the delivery whose payload did not decode, so that it can be kept and settled.
    ///
    /// Deliveries of a [`Typed`](crate::Typed) subscription fail this way; the router stores such a message as a dead
    /// letter. When nobody takes it, the transport treats it as a delivery that was dropped unsettled.
    pub fn take_undecodable(&mut self) -> Option<Undecodable> {
        self.0.undecodable.take().map(|lock| lock.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(context) = &self.0.context {
            write!(f, "{context}: ")?;
        }
        if let Some(operation) = self.0.operation {
            f.write_str(operation)?;
            if let Some(subject) = &self.0.subject {
                write!(f, " `{subject}`")?;
            }
            f.write_str(": ")?;
        } else if let Some(subject) = &self.0.subject {
            write!(f, "`{subject}`: ")?;
        }
        if self.0.message.is_empty() { f.write_str(self.0.kind.text()) } else { f.write_str(&self.0.message) }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &format_args!("{self}"))
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl From<RemoteError> for Error {
    /// Retryable when the code is one of the server's own faults, 500 to 599, as in HTTP, and the request was not refused.
    fn from(remote: RemoteError) -> Self {
        let code = remote.code().as_bytes();
        let own_fault = code.len() == 3 && code.first() == Some(&b'5');
        let retryable = own_fault && remote.status() != Status::Fail;
        Self::new(ErrorKind::Remote, "").with_retryable(retryable).with_source(remote)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_pointer_wide_and_can_cross_threads() {
        fn crosses<T: Send + Sync + 'static>() {}
        crosses::<Error>();
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn display_prints_its_own_level_only() {
        let error = Error::new(ErrorKind::Unavailable, "")
            .with_operation("publish")
            .with_subject(crate::subject!("orders.created"))
            .with_source(std::io::Error::other("connection refused"));
        assert_eq!(error.to_string(), "publish `orders.created`: unavailable");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("connection refused"));
    }

    #[test]
    fn a_context_stands_before_the_level_and_changes_nothing_else() {
        let error = Error::from(RemoteError::new("404", "unknown"))
            .with_operation("request")
            .with_subject(crate::subject!("quotes"))
            .with_context("route `quotes`")
            .with_context("module `shop`");
        let told = "module `shop`: route `quotes`: request `quotes`: the responder answered with an error";
        assert_eq!(error.to_string(), told);
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Remote, Some("request")));
        assert_eq!(error.remote().map(RemoteError::code), Some("404"));
    }

    #[test]
    fn what_was_refused_is_not_tried_again() {
        assert!(Error::from(RemoteError::new("503", "busy")).is_retryable());
        assert!(!Error::from(RemoteError::new("404", "unknown")).is_retryable());
        assert!(!Error::from(RemoteError::fail("503", "not for you")).is_retryable());
    }

    #[test]
    fn retry_after_makes_any_kind_retryable() {
        let error = Error::new(ErrorKind::Rejected, "busy");
        assert!(!error.is_retryable());
        assert!(error.with_retry_after(Duration::from_secs(1)).is_retryable());
    }
}
