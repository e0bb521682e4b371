//! Stages that protect a stage, or others from it: against failure, slowness and load.

#[cfg(feature = "retry")]
mod backoff;
#[cfg(feature = "batch")]
mod batch;
#[cfg(feature = "breaker")]
mod breaker;
mod judge;
#[cfg(feature = "limit")]
mod limit;
mod refused;
#[cfg(feature = "retry")]
mod retry;
#[cfg(feature = "timeout")]
mod timeout;

#[cfg(feature = "retry")]
pub use backoff::Backoff;
#[cfg(feature = "batch")]
pub use batch::{Batch, BatchError};
#[cfg(feature = "breaker")]
pub use breaker::{Circuit, CircuitBreaker, CircuitConfig, CircuitState};
pub use judge::{Always, Judge};
#[cfg(feature = "limit")]
pub use limit::{Limiter, Rate, RateLimit};
pub use refused::{CircuitOpen, GuardError, Overloaded, RateLimited, TimedOut};
#[cfg(feature = "retry")]
pub use retry::{GaveUp, Retry, RetryExhausted};
#[cfg(feature = "timeout")]
pub use timeout::Timeout;
