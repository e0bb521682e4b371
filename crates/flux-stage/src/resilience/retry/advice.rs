//! How long an error says to wait.

use std::any::Any;
use std::error::Error as StdError;
use std::time::Duration;

use flux_core::{Error, Failure, FailureClass};

use super::RetryExhausted;
use crate::{CircuitOpen, RateLimited, StageError};

/// Says of an error how long another attempt is of no use.
///
/// Implemented by any `Fn(&E) -> Option<Duration>`.
pub trait Advice<E>: Send + Sync {
    /// How long to wait at least; `None` when the error does not say.
    fn delay(&self, error: &E) -> Option<Duration>;
}

impl<E, F: Fn(&E) -> Option<Duration> + Send + Sync> Advice<E> for F {
    fn delay(&self, error: &E) -> Option<Duration> {
        self(error)
    }
}

/// Asks flux's own errors: [`Error`], [`Failure`], both inside of a [`StageError`] or [`RetryExhausted`], [`CircuitOpen`] and
/// [`RateLimited`]; and any that is boxed, for such a cause or a [`RetryAfter`](flux_core::RetryAfter). Another type says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told;

impl<E: 'static> Advice<E> for Told {
    fn delay(&self, error: &E) -> Option<Duration> {
        match class(error)? {
            FailureClass::RetryAfter(delay) => Some(delay),
            _ => None,
        }
    }
}

fn class(error: &dyn Any) -> Option<FailureClass> {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return Some(failure.class());
    }
    if let Some(boxed) = error.downcast_ref::<Box<dyn StdError + Send + Sync>>() {
        return Some(FailureClass::of(&**boxed));
    }
    None.or_else(|| of::<Error>(error))
        .or_else(|| of::<StageError<Error>>(error))
        .or_else(|| of::<StageError<Failure>>(error))
        .or_else(|| of::<RetryExhausted<Error>>(error))
        .or_else(|| of::<RetryExhausted<Failure>>(error))
        .or_else(|| of::<CircuitOpen>(error))
        .or_else(|| of::<RateLimited>(error))
}

fn of<E: StdError + 'static>(error: &dyn Any) -> Option<FailureClass> {
    error.downcast_ref::<E>().map(|error| FailureClass::of(error))
}
