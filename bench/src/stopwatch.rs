//! The measured region: what it took in time and in allocations.

use std::hint::black_box;
use std::time::{Duration, Instant};

use stats_alloc::INSTRUMENTED_SYSTEM;

/// Adds up what the measured regions of one run took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stopwatch {
    elapsed: Duration,
    allocations: u64,
}

impl Stopwatch {
    /// Runs `body` as a measured region. Whatever a contender does outside of one is not counted.
    ///
    /// # Panics
    ///
    /// When `body` does.
    pub fn measure<T>(&mut self, body: impl FnOnce() -> T) -> T {
        let mut body = Some(body);
        let mut output = None;
        let allocations = allocations();
        let start = Instant::now();
        region(&mut || output = body.take().map(|body| body()));
        self.elapsed += start.elapsed();
        self.allocations += allocations_since(allocations);
        output.expect("the region runs its body once")
    }

    /// Time spent in measured regions.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Calls to the allocator for new or larger memory in measured regions, on all threads.
    /// Zero unless the program counts them: see `bin/allocations.rs`.
    #[must_use]
    pub fn allocations(&self) -> u64 {
        self.allocations
    }
}

/// The frame callgrind counts in, see [`REGION`].
///
/// It is not generic, so its name is in no other symbol; the `black_box` keeps the call of `body`
/// from becoming a jump, which would leave this frame before the body runs.
#[inline(never)]
fn region(body: &mut dyn FnMut()) {
    body();
    black_box(());
}

/// The pattern by which callgrind finds the measured region.
pub const REGION: &str = "*flux_bench::stopwatch::region*";

fn allocations() -> u64 {
    let stats = INSTRUMENTED_SYSTEM.stats();
    (stats.allocations + stats.reallocations) as u64
}

fn allocations_since(before: u64) -> u64 {
    allocations() - before
}
