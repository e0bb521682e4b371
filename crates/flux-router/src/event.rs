//! What an operator should hear of.

use std::fmt;
use std::sync::Arc;

use flux_core::{Error, Subject};

/// Something that happened to a route, for [`Router::on_event`](crate::Router::on_event).
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'e> {
    /// The subscription is live, for the first time or again.
    Live,
    /// The subscription was lost; it is being rebuilt.
    Lost {
        /// Why, when the transport said so.
        error: Option<&'e Error>,
    },
    /// A delivery could not be made sense of: it did not decode, or has another type.
    Broken {
        /// What is wrong with it.
        error: &'e Error,
    },
    /// The handler of a [`DeliveryRoute`](crate::DeliveryRoute) failed. It settles by hand, so nobody else sees to the message.
    Failed {
        /// The subject it came under.
        subject: &'e Subject,
        /// The class of the failure: `retry`, `permanent`, `drop`, `panic`, `timeout`.
        class: &'static str,
        /// Why it failed.
        reason: &'e str,
    },
    /// A message was given up and stored as a dead letter.
    DeadLettered {
        /// The subject it came under.
        subject: &'e Subject,
        /// The class of the failure: `retry`, `permanent`, `panic`, `timeout`, `exhausted`, `undecodable`.
        class: &'static str,
        /// Why it was given up.
        reason: &'e str,
    },
    /// A message was given up, and there is no dead letter of it.
    NotDeadLettered {
        /// The subject it came under.
        subject: &'e Subject,
        /// Why there is none. When storing it failed, a transport that redelivers keeps the message, and it is tried again; a message
        /// that is a dead letter itself is lost: [`ErrorKind::Unsupported`](flux_core::ErrorKind::Unsupported). `None` when the
        /// route has no dead letters, so that the message is lost.
        error: Option<&'e Error>,
    },
    /// A settlement or an answer did not reach the transport.
    Unsettled {
        /// Why.
        error: &'e Error,
    },
}

/// A listener for the events of all routes; the first argument is the route's name.
pub(crate) type Listener = Arc<dyn Fn(&str, &Event<'_>) + Send + Sync>;

/// Prints one line for a log.
impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live => f.write_str("subscription is live"),
            Self::Lost { error: Some(error) } => write!(f, "subscription lost, rebuilding it: {error}"),
            Self::Lost { error: None } => f.write_str("subscription ended, rebuilding it"),
            Self::Broken { error } => {
                write!(f, "{error}")?;
                std::error::Error::source(*error).map_or(Ok(()), |source| write!(f, ": {source}"))
            }
            Self::Failed { subject, reason, .. } => write!(f, "the handler of `{subject}` failed: {reason}"),
            Self::DeadLettered { subject, reason, .. } => write!(f, "`{subject}` became a dead letter: {reason}"),
            Self::NotDeadLettered { subject, error: Some(error) } => {
                write!(f, "`{subject}` was given up and could not be stored as a dead letter: {error}")
            }
            Self::NotDeadLettered { subject, error: None } => {
                write!(f, "`{subject}` was given up; the route has no dead letters")
            }
            Self::Unsettled { error } => write!(f, "a settlement did not reach the transport: {error}"),
        }
    }
}
