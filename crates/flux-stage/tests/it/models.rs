//! State machines under every interleaving of two threads, by loom: each is compiled anew on loom's atomics and locks.

#[cfg(feature = "batch")]
mod batch;
#[cfg(feature = "breaker")]
mod breaker;
#[cfg(feature = "limit")]
mod limit;
