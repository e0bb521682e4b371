//! What runs, how often, how long, and as part of which trace.

mod current;
mod instruments;
mod metered;
mod metrics;
mod traced;

pub use metered::Metered;
pub use metrics::{End, MetricsSink, StageMetrics};
pub use traced::Traced;

/// `call` as a part of what the caller is a part of, wherever it runs.
#[cfg(feature = "spawn")]
pub(crate) fn carried<F: Future>(call: F) -> impl Future<Output = F::Output> {
    traced::Within::current(current::Current::get().run(call))
}
