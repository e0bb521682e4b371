//! How stages that are made of others fail.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use flux_core::{Cause, Failure};

/// A stage failed, and this is which; see [`Named`](crate::Named).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageError<E> {
    stage: Cow<'static, str>,
    error: E,
}

impl<E> StageError<E> {
    /// `error` of the stage called `stage`.
    pub fn new(stage: impl Into<Cow<'static, str>>, error: E) -> Self {
        Self { stage: stage.into(), error }
    }

    /// The stage's name.
    #[must_use]
    pub fn stage(&self) -> &str {
        &self.stage
    }

    /// How it failed.
    pub const fn error(&self) -> &E {
        &self.error
    }

    /// How it failed, without the name.
    pub fn into_error(self) -> E {
        self.error
    }

    /// As a handler's failure, of the class the error has by itself. `?` and the router do so for a [`Failure`] and for any
    /// error; this is for a type that is neither and converts to one.
    pub fn into_failure(self) -> Failure
    where
        E: Into<Failure>,
    {
        let text = self.to_string();
        wrapped(text, self.error.into())
    }
}

impl<E> fmt::Display for StageError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stage `{}` failed", self.stage)
    }
}

impl<E: Cause + fmt::Debug> StdError for StageError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.error.as_cause())
    }
}

/// `failure` with a text before its own, and of its class.
pub(crate) fn wrapped(text: String, failure: Failure) -> Failure {
    Failure::new(failure.class(), Wrapped { text, failure })
}

/// A failure as the cause of an error.
#[derive(Debug)]
struct Wrapped {
    text: String,
    failure: Failure,
}

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Wrapped {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.failure.error())
    }
}

/// A list of stages is empty where one has to be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoStages;

impl NoStages {
    /// The stages as a list, if there are any.
    #[cfg(feature = "concurrent")]
    pub(crate) fn unless_some<S>(stages: impl IntoIterator<Item = S>) -> Result<Vec<S>, Self> {
        let stages: Vec<S> = stages.into_iter().collect();
        if stages.is_empty() { Err(Self) } else { Ok(stages) }
    }
}

impl fmt::Display for NoStages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there are no stages to choose from")
    }
}

impl StdError for NoStages {}

/// One of many inputs or stages failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedError<E> {
    /// Which, from 0, in the order they were given.
    pub index: usize,
    /// How.
    pub error: E,
}

impl<E> fmt::Display for IndexedError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "number {} failed", self.index)
    }
}

impl<E: Cause + fmt::Debug> StdError for IndexedError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.error.as_cause())
    }
}

/// Some of many inputs or stages failed: those of a `FanOut`, `MapEach` or `Race`.
///
/// The source is the first of them by index; [`failures`](Self::failures) has all that are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FanOutError<E> {
    failures: Vec<IndexedError<E>>,
    of: usize,
}

impl<E> FanOutError<E> {
    /// `failures` of so many. They are sorted by index.
    #[must_use]
    pub fn new(mut failures: Vec<IndexedError<E>>, of: usize) -> Self {
        failures.sort_by_key(|failure| failure.index);
        Self { failures, of }
    }

    /// What failed, by index. With fail-fast it is the one failure that stopped the rest.
    #[must_use]
    pub fn failures(&self) -> &[IndexedError<E>] {
        &self.failures
    }

    /// What failed, by index.
    #[must_use]
    pub fn into_failures(self) -> Vec<IndexedError<E>> {
        self.failures
    }

    /// As a handler's failure, of the class of the first one. `?` and the router do so for a [`Failure`] and for any error; this is
    /// for a type that is neither and converts to one.
    #[must_use]
    pub fn into_failure(mut self) -> Failure
    where
        E: Into<Failure>,
    {
        let text = self.to_string();
        if self.failures.is_empty() {
            return Failure::retry(text);
        }
        wrapped(text, self.failures.swap_remove(0).error.into())
    }

    /// How many there were, those that did not fail included.
    #[must_use]
    pub fn of(&self) -> usize {
        self.of
    }
}

impl<E> fmt::Display for FanOutError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.failures.as_slice() {
            [one] => write!(f, "number {} of {} failed", one.index, self.of),
            many => write!(f, "{} of {} failed", many.len(), self.of),
        }
    }
}

impl<E: Cause + fmt::Debug> StdError for FanOutError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.failures.first().map(|failure| failure.error.as_cause())
    }
}
