//! What runs, how often, how long, and as part of which trace.

mod instruments;
mod metered;
mod metrics;
mod traced;

pub use metered::Metered;
pub use metrics::{End, MetricsSink, StageMetrics};
pub use traced::Traced;
