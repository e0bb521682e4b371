//! Where the numbers of a stage go.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::current::Current;
use super::instruments::Instruments;

/// Takes the numbers of stages: implement it for what OpenTelemetry does not reach.
///
/// It is called in the middle of the work, so it must not block. Each method does nothing unless implemented.
pub trait MetricsSink: Send + Sync {
    /// A call of `stage` began.
    fn started(&self, stage: &str) {
        let _ = stage;
    }

    /// A call of `stage` ended after so long.
    fn ended(&self, stage: &str, after: Duration, end: End) {
        let _ = (stage, after, end);
    }

    /// `stage` is tried again.
    fn retried(&self, stage: &str) {
        let _ = stage;
    }

    /// The circuit of `stage` is now `closed`, `half_open` or `open`.
    fn circuit(&self, stage: &str, state: &'static str) {
        let _ = (stage, state);
    }

    /// `stage` runs a batch of so many items.
    fn batch(&self, stage: &str, items: usize) {
        let _ = (stage, items);
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum End {
    /// Its future was dropped before it was done.
    Dropped,
    /// With an error.
    Error,
    /// With an output.
    Ok,
}

impl End {
    /// `dropped`, `error` or `ok`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Error => "error",
            Self::Ok => "ok",
        }
    }
}

/// The numbers of one stage, under its name: to OpenTelemetry's global meter, or to a [`MetricsSink`].
///
/// [`Metered`](crate::Metered) reports its calls, and the stages inside of it what only they know. A stage of yours can do so
/// too, through [`current`](Self::current). Clones report to the same place.
///
/// With OpenTelemetry these are `flux.stage.calls`, `flux.stage.active`, `flux.stage.duration` (s), `flux.stage.retries`,
/// `flux.stage.circuit.state` (0 closed, 1 half open, 2 open), `flux.stage.circuit.changes` and `flux.stage.batch.items`, with
/// the attribute `flux.stage`. The meter is the global one at the first call; while none is installed then, nothing is measured
/// and nothing allocated.
#[derive(Clone)]
pub struct StageMetrics(Arc<Inner>);

struct Inner {
    stage: Cow<'static, str>,
    to: To,
}

enum To {
    OpenTelemetry(OnceLock<Option<Box<Instruments>>>),
    Sink(Box<dyn MetricsSink>),
}

impl StageMetrics {
    /// To OpenTelemetry's global meter.
    pub fn new(stage: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Inner { stage: stage.into(), to: To::OpenTelemetry(OnceLock::new()) }))
    }

    /// To `sink`; share one among stages as an `Arc`.
    pub fn to_sink(stage: impl Into<Cow<'static, str>>, sink: impl MetricsSink + 'static) -> Self {
        Self(Arc::new(Inner { stage: stage.into(), to: To::Sink(Box::new(sink)) }))
    }

    /// Those of the innermost [`Metered`](crate::Metered) around the caller, if it measures.
    ///
    /// ```
    /// use flux_core::Stage;
    /// use flux_stage::{Metered, StageMetrics};
    ///
    /// async fn store(rows: Vec<u32>) -> Result<usize, String> {
    ///     if let Some(metrics) = StageMetrics::current() {
    ///         metrics.batch(rows.len());
    ///     }
    ///     Ok(rows.len())
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// assert_eq!(Metered::new("store", store).process(vec![1, 2]).await, Ok(2));
    /// # }
    /// ```
    #[must_use]
    pub fn current() -> Option<Self> {
        Current::get().into_metrics()
    }

    /// The stage's name.
    #[must_use]
    pub fn stage(&self) -> &str {
        &self.0.stage
    }

    /// It is tried again.
    pub fn retried(&self) {
        self.with(|sink| sink.retried(&self.0.stage));
    }

    /// Its circuit is now `closed`, `half_open` or `open`.
    pub fn circuit(&self, state: &'static str) {
        self.with(|sink| sink.circuit(&self.0.stage, state));
    }

    /// It runs a batch of so many items.
    pub fn batch(&self, items: usize) {
        self.with(|sink| sink.batch(&self.0.stage, items));
    }

    /// Where to, if anyone listens.
    pub(super) fn sink(&self) -> Option<&dyn MetricsSink> {
        match &self.0.to {
            To::OpenTelemetry(found) => {
                let found = found.get_or_init(|| Instruments::installed(&self.0.stage).map(Box::new));
                found.as_deref().map(|instruments| instruments as _)
            }
            To::Sink(sink) => Some(&**sink),
        }
    }

    fn with(&self, report: impl FnOnce(&dyn MetricsSink)) {
        if let Some(sink) = self.sink() {
            report(sink);
        }
    }
}

/// To OpenTelemetry's global meter.
impl From<&'static str> for StageMetrics {
    fn from(stage: &'static str) -> Self {
        Self::new(stage)
    }
}

/// To OpenTelemetry's global meter.
impl From<String> for StageMetrics {
    fn from(stage: String) -> Self {
        Self::new(stage)
    }
}

impl fmt::Debug for StageMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StageMetrics").field("stage", &self.0.stage).finish_non_exhaustive()
    }
}

impl<M: MetricsSink + ?Sized> MetricsSink for Arc<M> {
    fn started(&self, stage: &str) {
        (**self).started(stage);
    }

    fn ended(&self, stage: &str, after: Duration, end: End) {
        (**self).ended(stage, after, end);
    }

    fn retried(&self, stage: &str) {
        (**self).retried(stage);
    }

    fn circuit(&self, stage: &str, state: &'static str) {
        (**self).circuit(stage, state);
    }

    fn batch(&self, stage: &str, items: usize) {
        (**self).batch(stage, items);
    }
}
