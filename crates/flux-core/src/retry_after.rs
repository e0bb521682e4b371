//! A cause that says when to come back.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Says, as a cause of any error, that another attempt is of no use before this long: a [`Failure`](crate::Failure) made by `?` is
/// then of the class [`RetryAfter`](crate::FailureClass::RetryAfter), and the ladder waits.
///
/// ```
/// use std::fmt;
/// use std::time::Duration;
///
/// use flux_core::{Failure, FailureClass, RetryAfter};
///
/// #[derive(Debug)]
/// struct Busy(RetryAfter);
///
/// impl fmt::Display for Busy {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str("the bank is busy")
///     }
/// }
///
/// impl std::error::Error for Busy {
///     fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
///         Some(&self.0)
///     }
/// }
///
/// let minute = Duration::from_secs(60);
/// let failure = Failure::from(Busy(RetryAfter::new(minute)));
/// assert_eq!(failure.class(), FailureClass::RetryAfter(minute));
/// assert_eq!(failure.to_string(), "the bank is busy: retry after 60s");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RetryAfter(Duration);

impl RetryAfter {
    /// Not before `delay`.
    #[must_use]
    pub const fn new(delay: Duration) -> Self {
        Self(delay)
    }

    /// How long to wait.
    #[must_use]
    pub const fn delay(self) -> Duration {
        self.0
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "retry after {:?}", self.0)
    }
}

impl Error for RetryAfter {}
