//! What a handler returns when it could not do its work.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::{Error, ErrorKind, RemoteError, RetryAfter};

/// What should happen to a message whose handler failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureClass {
    /// Acknowledge it and forget it: the failure is expected and nobody needs the message.
    Drop,
    /// It will never succeed: straight to the dead letters.
    Permanent,
    /// It may succeed later: up the route's ladder.
    Retry,
    /// As `Retry`, but not before this long.
    RetryAfter(Duration),
}

impl FailureClass {
    /// The class of a [`Failure`] that is made of this error, as by `?`.
    #[must_use]
    pub fn of(error: &(dyn StdError + 'static)) -> Self {
        // The outermost that has a class decides: it has looked at its own causes.
        causes(error).find_map(class_of).unwrap_or(Self::Retry)
    }

    /// The class's name as it stands in the `X-Error-Class` header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Permanent => "permanent",
            Self::Retry | Self::RetryAfter(_) => "retry",
        }
    }
}

/// Why a handler failed, and what should happen to the message.
///
/// Any [`std::error::Error`] converts to [`FailureClass::Retry`], so `?` works. Among the error and its causes, the first of these
/// decides otherwise: flux's own [`Error`], which is permanent when it says that it is not retryable, unless something was
/// closed; a failure, see [`Cause`], which keeps its class; a [`RetryAfter`], which says when to try again.
///
/// A type of yours chooses its own class by `impl From<MyError> for Failure` as long as it does not implement
/// [`std::error::Error`]; elsewhere [`OrFail`] names the class on the spot:
///
/// ```
/// use flux_core::{Failure, FailureClass, OrFail};
///
/// fn book(total: &str) -> Result<f64, Failure> {
///     let total: f64 = total.parse().or_permanent()?; // a retry will not mend it
///     std::fs::metadata("/")?; // a retry might
///     Ok(total)
/// }
/// assert_eq!(book("nine").unwrap_err().class(), FailureClass::Permanent);
/// ```
pub struct Failure(Classed);

/// What a failure is to an error that holds one: prints as the error inside, and tells the class to whoever looks for it.
struct Classed {
    class: FailureClass,
    error: Box<dyn StdError + Send + Sync>,
}

/// What an error that holds another can name as its source: any error, or a [`Failure`], which is none by itself.
///
/// `impl<E: Cause> std::error::Error for Attempts<E>` makes `Attempts<Failure>` an error too, and `?` in a handler keeps the class
/// of the failure inside.
pub trait Cause {
    /// As a source.
    fn as_cause(&self) -> &(dyn StdError + 'static);
}

impl<E: StdError + 'static> Cause for E {
    fn as_cause(&self) -> &(dyn StdError + 'static) {
        self
    }
}

impl Cause for Failure {
    fn as_cause(&self) -> &(dyn StdError + 'static) {
        &self.0
    }
}

impl Failure {
    /// A failure of this class.
    pub fn new(class: FailureClass, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(Classed { class, error: source.into() })
    }

    /// It may succeed later.
    pub fn retry(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(FailureClass::Retry, source)
    }

    /// It may succeed later, but not before `delay`.
    pub fn retry_after(delay: Duration, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(FailureClass::RetryAfter(delay), source)
    }

    /// It will never succeed: straight to the dead letters.
    pub fn permanent(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(FailureClass::Permanent, source)
    }

    /// The message is of no use to anyone: acknowledge it.
    pub fn drop(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(FailureClass::Drop, source)
    }

    /// What should happen to the message.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        self.0.class
    }

    /// Why it failed.
    #[must_use]
    pub fn error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.0.error
    }

    /// What a requester is told: the [`RemoteError`] the handler returned, or code
    /// [`RemoteError::INTERNAL`] with the error's text.
    #[must_use]
    pub fn to_remote(&self) -> RemoteError {
        let remote = causes(self.error()).find_map(|error| error.downcast_ref::<RemoteError>());
        remote.cloned().unwrap_or_else(|| RemoteError::new(RemoteError::INTERNAL, self.to_string()))
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(FailureClass::of(&error), error)
    }
}

fn class_of(error: &(dyn StdError + 'static)) -> Option<FailureClass> {
    if let Some(classed) = error.downcast_ref::<Classed>() {
        return Some(classed.class);
    }
    if let Some(after) = error.downcast_ref::<RetryAfter>() {
        return Some(FailureClass::RetryAfter(after.delay()));
    }
    Some(match error.downcast_ref::<Error>()? {
        // The handle is at its end, in a shutdown most likely, and the message is not to blame.
        error if error.kind() == ErrorKind::Closed => FailureClass::Retry,
        error if !error.is_retryable() => FailureClass::Permanent,
        error => error.retry_after().map_or(FailureClass::Retry, FailureClass::RetryAfter),
    })
}

/// The error itself and its causes, those inside of failures too.
fn causes<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    fn next<'e>(error: &&'e (dyn StdError + 'static)) -> Option<&'e (dyn StdError + 'static)> {
        let error = *error;
        match error.downcast_ref::<Classed>() {
            Some(classed) => Some(&*classed.error),
            None => error.source(),
        }
    }
    std::iter::successors(Some(error), next)
}

impl fmt::Display for Classed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl fmt::Debug for Classed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure").field("class", &self.class).field("error", &self.error).finish()
    }
}

/// Transparent: the source is that of the error it holds.
impl StdError for Classed {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}

/// Prints the error and its causes, separated by `: `.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names the class of a failure where the error happens.
pub trait OrFail<T> {
    /// Any error is permanent: straight to the dead letters.
    ///
    /// # Errors
    /// A [`Failure`] of [`FailureClass::Permanent`].
    fn or_permanent(self) -> Result<T, Failure>;

    /// Any error makes the message useless: acknowledge it.
    ///
    /// # Errors
    /// A [`Failure`] of [`FailureClass::Drop`].
    fn or_drop(self) -> Result<T, Failure>;

    /// Any error may pass, but not before `delay`.
    ///
    /// # Errors
    /// A [`Failure`] of [`FailureClass::RetryAfter`].
    fn or_retry_after(self, delay: Duration) -> Result<T, Failure>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> OrFail<T> for Result<T, E> {
    fn or_permanent(self) -> Result<T, Failure> {
        self.map_err(Failure::permanent)
    }

    fn or_drop(self) -> Result<T, Failure> {
        self.map_err(Failure::drop)
    }

    fn or_retry_after(self, delay: Duration) -> Result<T, Failure> {
        self.map_err(|error| Failure::retry_after(delay, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_mark_chooses_the_class() {
        let io: Failure = std::io::Error::other("x").into();
        assert_eq!(io.class(), FailureClass::Retry);
        let too_large: Failure = Error::new(ErrorKind::TooLarge, "").into();
        assert_eq!(too_large.class(), FailureClass::Permanent);
        let closed: Failure = Error::new(ErrorKind::Closed, "").into();
        assert_eq!(closed.class(), FailureClass::Retry, "a message that comes again may meet one that is open");
        let busy: Failure = Error::new(ErrorKind::Full, "").with_retry_after(Duration::from_secs(2)).into();
        assert_eq!(busy.class(), FailureClass::RetryAfter(Duration::from_secs(2)));
        assert_eq!(FailureClass::of(busy.error()), busy.class(), "also of an error that is only looked at");
    }

    #[derive(Debug)]
    struct Outer<E>(E);

    impl<E> fmt::Display for Outer<E> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("outer")
        }
    }

    impl<E: Cause + fmt::Debug> StdError for Outer<E> {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(self.0.as_cause())
        }
    }

    #[test]
    fn a_permanent_cause_is_permanent_however_deep() {
        let class = |error: Error| Failure::from(Outer(Outer(error))).class();
        assert_eq!(class(Error::new(ErrorKind::TooLarge, "")), FailureClass::Permanent);
        let after = Duration::from_secs(2);
        assert_eq!(class(Error::new(ErrorKind::Full, "").with_retry_after(after)), FailureClass::RetryAfter(after));
        // The outermost of flux's errors has looked at its own causes and decides.
        let unavailable = Error::new(ErrorKind::Unavailable, "").with_source(Error::new(ErrorKind::TooLarge, ""));
        assert_eq!(class(unavailable), FailureClass::Retry);
        assert_eq!(Failure::from(Outer(std::io::Error::other("x"))).class(), FailureClass::Retry);
    }

    #[test]
    fn a_failure_inside_of_an_error_keeps_its_class_its_text_and_its_remote_error() {
        let remote = RemoteError::new("404", "unknown carrier");
        let inner = Failure::new(FailureClass::Drop, Outer(remote.clone()));
        let text = inner.to_string();
        let failure = Failure::from(Outer(Outer(inner)));
        assert_eq!(failure.class(), FailureClass::Drop);
        assert_eq!(failure.to_string(), format!("outer: outer: {text}"));
        assert_eq!(failure.to_remote(), remote);
        let failure = Failure::from(Outer(Failure::permanent(remote.clone())));
        assert_eq!((failure.class(), failure.to_remote()), (FailureClass::Permanent, remote));
    }

    #[test]
    fn a_type_can_choose_its_own_class() {
        struct Useless;
        impl From<Useless> for Failure {
            fn from(_: Useless) -> Self {
                Self::drop("useless")
            }
        }
        let failure: Failure = (|| -> Result<(), Failure> { Err(Useless)? })().unwrap_err();
        assert_eq!(failure.class(), FailureClass::Drop);
    }

    #[test]
    fn a_remote_error_is_found_among_the_causes() {
        let remote = RemoteError::new("404", "unknown carrier");
        let failure = Failure::permanent(Error::from(remote.clone()));
        assert_eq!(failure.to_remote(), remote);
        assert_eq!(Failure::retry("boom").to_remote().code(), RemoteError::INTERNAL);
    }
}
