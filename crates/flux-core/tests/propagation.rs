//! A process in which only the contexts of recorded traces travel; a program of its own, because the setting is one for a process.
#![cfg(feature = "telemetry")]

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use flux_core::telemetry::{Propagation, Relation, set_propagation};
use flux_core::{Headers, Scope, SubjectFilter, Telemetry, header, subject};
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry::trace::{Link, SpanKind, TraceContextExt as _, TraceId, TraceState, Tracer as _};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::{
    InMemorySpanExporter, Sampler, SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample,
};

/// Whether traces that start now are recorded. Each test sets it for itself, so they take turns.
static RECORDS: AtomicBool = AtomicBool::new(false);
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[derive(Debug, Clone)]
struct Switched;

impl ShouldSample for Switched {
    fn should_sample(
        &self,
        _: Option<&Context>,
        _: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let records = RECORDS.load(Ordering::Relaxed);
        SamplingResult {
            decision: if records { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop },
            attributes: Vec::new(),
            trace_state: TraceState::default(),
        }
    }
}

static SPANS: LazyLock<InMemorySpanExporter> = LazyLock::new(|| {
    let spans = InMemorySpanExporter::default();
    let tracers = SdkTracerProvider::builder().with_simple_exporter(spans.clone());
    let propagators: Vec<Box<dyn TextMapPropagator + Send + Sync>> =
        vec![Box::new(TraceContextPropagator::new()), Box::new(BaggagePropagator::new())];
    global::set_text_map_propagator(TextMapCompositePropagator::new(propagators));
    global::set_tracer_provider(tracers.with_sampler(Sampler::ParentBased(Box::new(Switched))).build());
    set_propagation(Propagation::Sampled);
    spans
});

/// Runs `test` while traces that start are recorded or not; returns the names of the spans that it made.
fn spans_of(records: bool, test: impl FnOnce()) -> Vec<String> {
    let _turn = TURN.lock().expect("no test panics in its turn");
    LazyLock::force(&SPANS).reset();
    RECORDS.store(records, Ordering::Relaxed);
    test();
    let finished = SPANS.get_finished_spans().expect("in memory");
    finished.into_iter().map(|span| span.name.into_owned()).collect()
}

/// Sends a message with these headers; returns what went out.
fn sent(mut headers: Headers) -> Headers {
    Telemetry::new("sampled").send(&subject!("orders.out"), &mut headers).finish(Ok(()));
    headers
}

/// Handles a message with these headers by `work`.
fn handled<R>(headers: &Headers, work: impl FnOnce() -> R) -> R {
    let route = Telemetry::for_route(SubjectFilter::from_static("orders.*"));
    let (mut scope, processing) = route.process(&subject!("orders.in"), headers, Relation::Link);
    let result = scope.enter(work);
    processing.finish(None);
    result
}

#[test]
fn a_send_that_is_not_recorded_writes_nothing_and_one_that_is_writes_its_context() {
    let (mut without, mut with) = (Headers::new(), Headers::new());
    assert!(spans_of(false, || without = sent(Headers::new())).is_empty());
    assert!(without.is_empty(), "{without:?}");
    assert_eq!(spans_of(true, || with = sent(Headers::new())), ["send orders.out"]);
    assert!(with.get(&header::TRACEPARENT).is_some_and(|written| written.ends_with("-01")), "{with:?}");
}

#[test]
fn what_a_send_that_is_not_recorded_has_brought_along_goes_and_baggage_stays() {
    let mut brought = Headers::new();
    for (name, value) in [
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("tracestate", "vendor=1"),
        ("X-Tenant", "acme"),
    ] {
        brought.insert(name, value).expect("valid");
    }
    let mut written = Headers::new();
    let spans = spans_of(false, || {
        let _attached = Context::current_with_baggage([KeyValue::new("tenant", "acme")]).attach();
        written = sent(brought);
    });
    assert!(spans.is_empty());
    let all: Vec<_> = written.iter().collect();
    assert_eq!(all, [("X-Tenant", "acme"), ("baggage", "tenant=acme")]);
}

#[test]
fn a_message_without_a_context_is_in_a_trace_that_is_not_recorded() {
    let mut inside = None;
    let mut passed_on = Headers::new();
    // The sampler would record any trace that starts here.
    let spans = spans_of(true, || {
        handled(&Headers::new(), || {
            inside = Some(Context::current().span().span_context().clone());
            global::tracer("test").in_span("work", |_| ());
            passed_on = sent(Headers::new());
        });
    });
    assert!(spans.is_empty(), "{spans:?}");
    let inside = inside.expect("was called");
    assert!(inside.is_valid() && !inside.is_sampled(), "{inside:?}");
    assert!(passed_on.is_empty(), "{passed_on:?}");
}

#[test]
fn a_recorded_trace_goes_on_at_its_receiver() {
    let mut passed_on = Headers::new();
    let spans = spans_of(true, || {
        let received = sent(Headers::new());
        // From here on it is the sender that decides.
        RECORDS.store(false, Ordering::Relaxed);
        passed_on = handled(&received, || sent(Headers::new()));
        let trace =
            |headers: &Headers| headers.get(&header::TRACEPARENT).and_then(|text| text.get(..35).map(str::to_owned));
        assert_eq!(trace(&received), trace(&passed_on));
    });
    assert_eq!(spans, ["send orders.out", "send orders.out", "process orders.*"]);
    assert!(passed_on.contains(&header::TRACEPARENT));
}

#[test]
fn correlation_ids_travel_whether_a_trace_does_or_not() {
    let mut received = Headers::new();
    received.insert(header::MESSAGE_ID, "order-1").expect("valid");
    let mut passed_on = Headers::new();
    let spans = spans_of(false, || {
        passed_on = handled(&received, || {
            let mut headers = Headers::new();
            Scope::stamp(&mut headers);
            sent(headers)
        });
    });
    assert!(spans.is_empty());
    let all: Vec<_> = passed_on.iter().collect();
    assert_eq!(all, [("X-Correlation-ID", "order-1"), ("X-Causation-ID", "order-1")]);
}
