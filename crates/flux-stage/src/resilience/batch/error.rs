//! How a batch fails, as each of its callers sees it.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use flux_core::Cause;

/// The batch that an item was in failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum BatchError<E> {
    /// The stage made another number of results than it was given items, so nobody knows whose is whose.
    Count {
        /// How many items it was given.
        items: usize,
        /// How many results it made.
        results: usize,
    },
    /// The stage panicked, in the call of another of the batch.
    Panicked,
    /// The stage failed, for all of the batch.
    Stage(Arc<E>),
}

impl<E> BatchError<E> {
    /// The stage's own error, if it is one.
    #[must_use]
    pub fn stage(&self) -> Option<&E> {
        match self {
            Self::Stage(error) => Some(error),
            _ => None,
        }
    }
}

impl<E> Clone for BatchError<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Count { items, results } => Self::Count { items: *items, results: *results },
            Self::Panicked => Self::Panicked,
            Self::Stage(error) => Self::Stage(Arc::clone(error)),
        }
    }
}

impl<E> fmt::Display for BatchError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { items, results } => write!(f, "the batch had {items} items and {results} results"),
            Self::Panicked => f.write_str("the batch panicked"),
            Self::Stage(_) => f.write_str("the batch failed"),
        }
    }
}

impl<E: Cause + fmt::Debug> StdError for BatchError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.stage().map(Cause::as_cause)
    }
}
