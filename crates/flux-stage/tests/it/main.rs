//! Every stage, on values.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[cfg(feature = "batch")]
mod batch;
#[cfg(feature = "breaker")]
mod breaker;
#[cfg(feature = "cache")]
mod cache;
mod compose;
#[cfg(feature = "concurrent")]
mod concurrent;
mod depth;
#[allow(dead_code, reason = "without some features, not all of its acts are called for")]
mod double;
#[cfg(all(
    feature = "breaker",
    feature = "cache",
    feature = "concurrent",
    feature = "hedge",
    feature = "limit",
    feature = "load",
    feature = "observe",
    feature = "retry",
    feature = "timeout",
))]
mod drops;
#[cfg(all(feature = "batch", feature = "breaker", feature = "concurrent", feature = "limit", feature = "retry"))]
mod errors;
mod fallback;
#[cfg(feature = "concurrent")]
mod graph;
#[cfg(all(feature = "concurrent", feature = "retry"))]
mod handlers;
#[cfg(feature = "hedge")]
mod hedge;
#[cfg(all(feature = "stream", feature = "tower"))]
mod interop;
#[cfg(feature = "limit")]
mod limit;
#[cfg(feature = "load")]
mod load;
#[cfg(feature = "messaging")]
mod messaging;
mod models;
#[cfg(feature = "pace")]
mod pace;
#[cfg(feature = "retry")]
mod retry;
#[cfg(all(feature = "breaker", feature = "limit", feature = "retry", feature = "timeout"))]
mod settlement;
mod skip_take;
#[cfg(all(feature = "concurrent", feature = "spawn"))]
mod spawned;
#[cfg(feature = "timeout")]
mod timeout;
#[cfg(feature = "window")]
mod window;
