//! To and from streams, sinks and tower's services.

#[cfg(feature = "stream")]
mod sink;
#[cfg(feature = "stream")]
mod through;
#[cfg(feature = "tower")]
mod tower;

#[cfg(feature = "stream")]
pub use sink::{PublishSink, SinkPublisher};
#[cfg(feature = "stream")]
pub use through::through;
#[cfg(feature = "tower")]
pub use tower::{ServiceStage, StageService};
