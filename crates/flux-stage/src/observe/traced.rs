//! A stage whose calls are spans.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use flux_core::Stage;
use flux_core::telemetry::{semconv, tracer};
use opentelemetry::global::BoxedTracer;
use opentelemetry::trace::{Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context as TraceContext, KeyValue};
use pin_project_lite::pin_project;

use crate::{Describe, Shape};

/// Makes a span of each call, as a child of the current one. What the stage publishes and traces is part of it.
///
/// The tracer is the global one at the first call; while none is installed then, it costs a branch and allocates
/// nothing. A failed call has the status error, and the error's type as `error.type`.
///
/// ```
/// use flux_core::Stage;
/// use flux_stage::Traced;
///
/// async fn double(n: u32) -> Result<u32, String> { Ok(n * 2) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let stage = Traced::new("double", double).with_attribute("shop.region", "eu");
/// assert_eq!(stage.process(4).await, Ok(8));
/// # }
/// ```
///
/// # Cancel safety
/// A call whose future is dropped, or that panics, ends its span with `dropped` as `error.type`.
#[derive(Clone)]
pub struct Traced<S> {
    stage: S,
    name: Cow<'static, str>,
    attributes: Vec<KeyValue>,
    tracer: Arc<OnceLock<Option<BoxedTracer>>>,
}

impl<S> Traced<S> {
    /// `stage`, in spans called `name`.
    pub fn new(name: impl Into<Cow<'static, str>>, stage: S) -> Self {
        Self { stage, name: name.into(), attributes: Vec::new(), tracer: Arc::default() }
    }

    /// Adds an attribute to each span.
    #[must_use]
    pub fn with_attribute(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push(KeyValue::new(key, value.into()));
        self
    }

    fn start(&self) -> Option<TraceContext> {
        let tracer = self.tracer.get_or_init(tracer).as_ref()?;
        let builder = tracer.span_builder(self.name.clone()).with_attributes(self.attributes.clone());
        let parent = TraceContext::current();
        Some(parent.with_span(tracer.build_with_context(builder, &parent)))
    }
}

pin_project! {
    /// Runs a future as part of a trace.
    pub(super) struct Within<F> {
        #[pin]
        future: F,
        trace: TraceContext,
    }
}

impl<F> Within<F> {
    /// `future` as part of the trace that the caller is part of.
    #[cfg(feature = "spawn")]
    pub(super) fn current(future: F) -> Self {
        Self { future, trace: TraceContext::current() }
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _attached = this.trace.clone().attach();
        this.future.poll(cx)
    }
}

/// Ends the span of a call, however that ends.
struct Ends(Option<TraceContext>);

impl Ends {
    fn end(mut self, error: Option<&'static str>) {
        let Some(trace) = self.0.take() else { return };
        if let Some(error) = error {
            trace.span().set_attribute(KeyValue::new(semconv::ERROR_TYPE, error));
            trace.span().set_status(Status::error(""));
        }
        trace.span().end();
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        if let Some(trace) = self.0.take() {
            trace.span().set_attribute(KeyValue::new(semconv::ERROR_TYPE, "dropped"));
            trace.span().end();
        }
    }
}

impl<In: Send, S: Stage<In>> Stage<In> for Traced<S> {
    type Out = S::Out;
    type Error = S::Error;

    async fn process(&self, input: In) -> Result<S::Out, S::Error> {
        let Some(trace) = self.start() else { return self.stage.process(input).await };
        let span = Ends(Some(trace.clone()));
        // A block of its own: a function may do its work before it returns its future.
        let result = Within { future: async { self.stage.process(input).await }, trace }.await;
        span.end(result.as_ref().err().map(|_| std::any::type_name::<S::Error>()));
        result
    }
}

impl<S: Describe> Describe for Traced<S> {
    fn describe(&self) -> Shape {
        self.stage.describe()
    }
}

impl<S: fmt::Debug> fmt::Debug for Traced<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traced").field("name", &self.name).field("stage", &self.stage).finish_non_exhaustive()
    }
}
