//! How a handler call failed.

use flux_core::{Failure, FailureClass};

use crate::guard::{caught, text_of};

/// What the ladder, the metrics and a dead letter need to know of a failure.
pub(crate) struct Fault {
    pub(crate) class: &'static str,
    pub(crate) text: String,
    pub(crate) then: FailureClass,
}

impl Fault {
    /// What the handler returned. The conversion and the text are the user's code too.
    pub(crate) fn of(error: impl Into<Failure>) -> Self {
        match caught(|| error.into()) {
            Ok(failure) => Self { class: failure.class().as_str(), text: text_of(&failure), then: failure.class() },
            Err(panic) => Self::retry("panic", panic),
        }
    }

    /// Worth another attempt.
    pub(crate) fn retry(class: &'static str, text: String) -> Self {
        Self { class, text, then: FailureClass::Retry }
    }

    /// For good.
    pub(crate) fn permanent(class: &'static str, text: String) -> Self {
        Self { class, text, then: FailureClass::Permanent }
    }

    /// Whether the message is to be tried again.
    pub(crate) fn climbs(&self) -> bool {
        matches!(self.then, FailureClass::Retry | FailureClass::RetryAfter(_))
    }
}
