//! Every stage, on values.

#[cfg(feature = "batch")]
mod batch;
mod compose;
#[cfg(feature = "concurrent")]
mod concurrent;
#[cfg(feature = "breaker")]
mod breaker;
mod double;
#[cfg(feature = "limit")]
mod limit;
mod models;
#[cfg(feature = "retry")]
mod retry;
#[cfg(feature = "timeout")]
mod timeout;
