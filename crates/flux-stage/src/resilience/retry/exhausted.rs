//! What is left when the last attempt failed.

use std::error::Error as StdError;
use std::fmt;

use flux_core::{Cause, Error, ErrorKind, Failure};

use crate::error::wrapped;

/// Why no further attempt was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GaveUp {
    /// All attempts were used.
    Attempts,
    /// The deadline passed, or would have during the next pause.
    Deadline,
    /// The last error is not one to retry.
    Refused,
}

/// No attempt succeeded. Keeps the error of each; the source is the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryExhausted<E> {
    errors: Vec<E>,
    why: GaveUp,
}

impl<E> RetryExhausted<E> {
    pub(super) const fn new(errors: Vec<E>, why: GaveUp) -> Self {
        Self { errors, why }
    }

    /// The error of each attempt, in order. An attempt that the deadline cut off has none.
    #[must_use]
    pub fn errors(&self) -> &[E] {
        &self.errors
    }

    /// Takes the errors, in order.
    #[must_use]
    pub fn into_errors(self) -> Vec<E> {
        self.errors
    }

    /// Takes the last error. There is none when the deadline cut off the first attempt.
    #[must_use]
    pub fn into_last(mut self) -> Option<E> {
        self.errors.pop()
    }

    /// Why no further attempt was made.
    #[must_use]
    pub const fn why(&self) -> GaveUp {
        self.why
    }
}

impl<E: Into<Failure>> RetryExhausted<E> {
    /// As a handler's failure, of the class of the last error. `?` and the router do so for a [`Failure`] and for any error; this is
    /// for a type that is neither and converts to one.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        let text = self.to_string();
        match self.into_last() {
            Some(error) => wrapped(text, error.into()),
            None => Failure::retry(text),
        }
    }
}

impl<E> fmt::Display for RetryExhausted<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.errors.len();
        let plural = if count == 1 { "" } else { "s" };
        let why = match self.why {
            GaveUp::Attempts => "no attempt is left",
            GaveUp::Deadline => "the deadline is reached",
            GaveUp::Refused => "another would not help",
        };
        write!(f, "{count} attempt{plural} failed, {why}")
    }
}

impl<E: Cause + fmt::Debug> StdError for RetryExhausted<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.errors.last().map(Cause::as_cause)
    }
}

/// Of the last error's kind, and as retryable as it is.
impl From<RetryExhausted<Error>> for Error {
    fn from(exhausted: RetryExhausted<Error>) -> Self {
        let last = exhausted.errors.last();
        let kind = last.map_or(ErrorKind::TimedOut, Error::kind);
        let retryable = last.is_none_or(Error::is_retryable);
        let text = exhausted.to_string();
        Self::new(kind, text).with_retryable(retryable).with_source(exhausted)
    }
}
