//! A stage whose calls are counted and timed.

use std::time::Instant;

use flux_core::Stage;

use super::current::Current;
use super::metrics::{End, MetricsSink, StageMetrics};
use crate::{Describe, Shape};

/// Counts the stage's calls, those in flight, and how long they take; see [`StageMetrics`] for the names.
///
/// The stages inside report to it too: a `Retry` its attempts after the first, a `CircuitBreaker` the state it goes into,
/// a `Batch` the size of each batch, as part of the call that causes it.
///
/// ```
/// use flux_core::Stage;
/// use flux_stage::Metered;
///
/// async fn double(n: u32) -> Result<u32, String> { Ok(n * 2) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let stage = Metered::new("double", double);
/// assert_eq!(stage.process(4).await, Ok(8));
/// # }
/// ```
///
/// # Cancel safety
/// A call whose future is dropped is counted as dropped, and is no longer in flight.
#[derive(Debug, Clone)]
pub struct Metered<S> {
    stage: S,
    metrics: StageMetrics,
}

impl<S> Metered<S> {
    /// `stage`, reporting to OpenTelemetry if given a name, else as the [`StageMetrics`] say.
    pub fn new(metrics: impl Into<StageMetrics>, stage: S) -> Self {
        Self { stage, metrics: metrics.into() }
    }
}

/// A call in flight; dropped, it has ended.
struct Call<'m> {
    sink: &'m dyn MetricsSink,
    stage: &'m str,
    since: Instant,
    end: End,
}

impl<'m> Call<'m> {
    fn begin(sink: &'m dyn MetricsSink, stage: &'m str) -> Self {
        sink.started(stage);
        Self { sink, stage, since: Instant::now(), end: End::Dropped }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.sink.ended(self.stage, self.since.elapsed(), self.end);
    }
}

impl<In: Send, S: Stage<In>> Stage<In> for Metered<S> {
    type Out = S::Out;
    type Error = S::Error;

    async fn process(&self, input: In) -> Result<S::Out, S::Error> {
        let Some(sink) = self.metrics.sink() else { return self.stage.process(input).await };
        let mut call = Call::begin(sink, self.metrics.stage());
        // A block of its own: a function may do its work before it returns its future.
        let result = Current::of(&self.metrics).run(async { self.stage.process(input).await }).await;
        call.end = if result.is_ok() { End::Ok } else { End::Error };
        result
    }
}

impl<S: Describe> Describe for Metered<S> {
    fn describe(&self) -> Shape {
        self.stage.describe()
    }
}
