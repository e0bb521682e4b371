//! Finds out whether an SDK stands behind OpenTelemetry's globals, so that nothing is spent while none does.

use std::sync::Arc;

use opentelemetry::global::{self, BoxedTracer};
use opentelemetry::metrics::Meter;
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, Tracer as _,
};
use opentelemetry::{Context, InstrumentationScope};

/// The global tracer, unless it is the one that does nothing.
///
/// The do-nothing tracer hands out spans with their parent's context. An SDK's never does; asked under suppression, it
/// also records nothing, so the question leaves no span behind. Ask once and keep the answer.
#[must_use]
pub fn tracer() -> Option<BoxedTracer> {
    let tracer = global::tracer_with_scope(scope());
    let parent = SpanContext::new(
        TraceId::from_bytes([1; 16]),
        SpanId::from_bytes([1; 8]),
        TraceFlags::NOT_SAMPLED,
        true,
        TraceState::NONE,
    );
    let context = Context::new().with_remote_span_context(parent.clone()).with_telemetry_suppressed();
    let span = tracer.build_with_context(tracer.span_builder("probe"), &context);
    (*span.span_context() != parent).then_some(tracer)
}

/// The global meter, unless it is the one that does nothing: that one drops the callbacks it is given. Ask once and
/// keep the answer.
#[must_use]
pub fn meter() -> Option<Meter> {
    let meter = global::meter_with_scope(scope());
    let kept = Arc::new(());
    let held = Arc::clone(&kept);
    let _probe = meter
        .u64_observable_gauge("flux.probe")
        .with_description("Never observed; tells flux that metrics are collected.")
        .with_callback(move |_| {
            let _ = &held;
        })
        .build();
    (Arc::strong_count(&kept) > 1).then_some(meter)
}

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("flux")
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(super::semconv::SCHEMA_URL)
        .build()
}
