//! Every stage, on values.

mod compose;
#[cfg(feature = "concurrent")]
mod concurrent;
mod double;
#[cfg(feature = "retry")]
mod retry;
#[cfg(feature = "timeout")]
mod timeout;
