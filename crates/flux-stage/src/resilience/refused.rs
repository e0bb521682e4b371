//! What a protecting stage answers in place of the stage it protects.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use flux_core::{Error, ErrorKind, RetryAfter};

macro_rules! refusal {
    ($(#[$doc:meta])* $name:ident { $(#[$field_doc:meta])* $field:ident: $type:ty } $kind:ident, $text:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name {
            $field: $type,
        }

        impl $name {
            #[allow(dead_code, reason = "made by stages that a feature may leave out")]
            pub(crate) const fn new($field: $type) -> Self {
                Self { $field }
            }

            $(#[$field_doc])*
            #[must_use]
            pub const fn $field(&self) -> $type {
                self.$field
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, $text, self.$field)
            }
        }

        impl StdError for $name {}

        impl From<$name> for Error {
            fn from(refusal: $name) -> Self {
                Self::new(ErrorKind::$kind, "").with_source(refusal)
            }
        }

        impl<E> From<$name> for GuardError<E> {
            fn from(refusal: $name) -> Self {
                Self::$name(refusal)
            }
        }
    };
}

/// A refusal that says when to come back, to people and by its source to a route's ladder.
macro_rules! refusal_for_now {
    ($(#[$doc:meta])* $name:ident { $(#[$field_doc:meta])* $field:ident } $kind:ident, $text:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name {
            $field: RetryAfter,
        }

        impl $name {
            #[allow(dead_code, reason = "made by stages that a feature may leave out")]
            pub(crate) const fn new($field: Duration) -> Self {
                Self { $field: RetryAfter::new($field) }
            }

            $(#[$field_doc])*
            #[must_use]
            pub const fn $field(&self) -> Duration {
                self.$field.delay()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($text)
            }
        }

        impl StdError for $name {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                Some(&self.$field)
            }
        }

        impl From<$name> for Error {
            fn from(refusal: $name) -> Self {
                Self::new(ErrorKind::$kind, "").with_retry_after(refusal.$field()).with_source(refusal)
            }
        }

        impl<E> From<$name> for GuardError<E> {
            fn from(refusal: $name) -> Self {
                Self::$name(refusal)
            }
        }
    };
}

refusal_for_now! {
    /// A circuit breaker is open: the stage behind it was not called.
    CircuitOpen {
        /// How long until the breaker lets a probe through. Zero while all probes are out.
        retry_after
    }
    Unavailable, "the circuit is open"
}

refusal! {
    /// As many calls are in flight, or wait, as a bulkhead or load shed allows: the stage was not called.
    Overloaded {
        /// The calls that may be in flight at the same time.
        limit: usize
    }
    Full, "overloaded: {} calls are in flight"
}

refusal_for_now! {
    /// A rate limit is reached, and waiting for it is not allowed or would take too long: the stage was not called.
    RateLimited {
        /// How long until the limit would have let this call through, had no other come.
        retry_after
    }
    Full, "the rate limit is reached"
}

refusal! {
    /// A stage took longer than it may. It was dropped where it was.
    TimedOut {
        /// How long it had.
        limit: Duration
    }
    TimedOut, "timed out after {:?}"
}

/// An error of a stage, or what a protecting stage answers in its place.
///
/// A protecting stage keeps the error type of the stage it wraps, which must convert from the refusal:
/// [`Failure`](flux_core::Failure), [`flux_core::Error`] and boxed errors do. Where the error cannot, say a string, this
/// is the type to map it into, once for any number of protecting stages:
///
/// ```
/// use std::time::Duration;
///
/// use flux_core::Stage;
/// use flux_stage::{GuardError, TimedOut};
///
/// async fn parse(text: &str) -> Result<u32, GuardError<std::num::ParseIntError>> {
///     text.parse().map_err(GuardError::Stage)
/// }
/// # fn check<S: for<'t> Stage<&'t str, Error: From<TimedOut>>>(_: S) {}
/// # check(parse);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GuardError<E> {
    /// A circuit breaker is open.
    CircuitOpen(CircuitOpen),
    /// Too much is in flight.
    Overloaded(Overloaded),
    /// A rate limit is reached.
    RateLimited(RateLimited),
    /// The stage itself failed.
    Stage(E),
    /// The stage took too long.
    TimedOut(TimedOut),
}

impl<E> GuardError<E> {
    /// The stage's own error, if it is one.
    pub fn into_stage(self) -> Option<E> {
        match self {
            Self::Stage(error) => Some(error),
            _ => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for GuardError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CircuitOpen(refusal) => refusal.fmt(f),
            Self::Overloaded(refusal) => refusal.fmt(f),
            Self::RateLimited(refusal) => refusal.fmt(f),
            Self::Stage(error) => error.fmt(f),
            Self::TimedOut(refusal) => refusal.fmt(f),
        }
    }
}

/// Transparent: the source is that of the error it holds.
impl<E: StdError> StdError for GuardError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::CircuitOpen(refusal) => refusal.source(),
            Self::RateLimited(refusal) => refusal.source(),
            Self::Stage(error) => error.source(),
            Self::Overloaded(_) | Self::TimedOut(_) => None,
        }
    }
}
