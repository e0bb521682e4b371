//! Stages that protect a stage, or others from it: against failure, slowness and load.

#[cfg(feature = "retry")]
mod backoff;
#[cfg(feature = "batch")]
mod batch;
#[cfg(feature = "breaker")]
mod breaker;
#[cfg(feature = "cache")]
mod cache;
mod fallback;
#[cfg(feature = "hedge")]
mod hedge;
mod judge;
#[cfg(feature = "limit")]
mod limit;
#[cfg(feature = "load")]
mod load;
#[cfg(feature = "pace")]
mod pace;
mod refused;
#[cfg(feature = "retry")]
mod retry;
mod skip;
mod take;
#[cfg(feature = "timeout")]
mod timeout;
#[cfg(feature = "window")]
mod window;

#[cfg(feature = "retry")]
pub use backoff::Backoff;
#[cfg(feature = "batch")]
pub use batch::{Batch, BatchError};
#[cfg(feature = "breaker")]
pub use breaker::{Circuit, CircuitBreaker, CircuitConfig, CircuitState};
#[cfg(feature = "cache")]
pub use cache::{Cache, Distinct};
pub use fallback::Fallback;
#[cfg(feature = "hedge")]
pub use hedge::Hedge;
pub use judge::{Always, Judge};
#[cfg(feature = "limit")]
pub use limit::{Limiter, Rate, RateLimit};
#[cfg(feature = "load")]
pub use load::{Bulkhead, LoadShed};
#[cfg(feature = "pace")]
pub use pace::{Debounce, Throttle};
pub use refused::{CircuitOpen, GuardError, Overloaded, RateLimited, TimedOut};
#[cfg(feature = "retry")]
pub use retry::{Advice, GaveUp, Retry, RetryExhausted, Told};
pub use skip::Skip;
pub use take::Take;
#[cfg(feature = "timeout")]
pub use timeout::Timeout;
#[cfg(feature = "window")]
pub use window::{Session, Sliding, Tumbling};
