//! What metrics and traces show; a program of its own, because OpenTelemetry's globals are one for a process.
#![cfg(feature = "observe")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::future::pending;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use flux_core::Stage;
use flux_stage::{End, Metered, MetricsSink, StageMetrics, Traced};
use opentelemetry::global;
use opentelemetry::trace::Status;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ScopeMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};

async fn half(n: u64) -> Result<u64, String> {
    if n == 99 {
        pending::<()>().await;
    }
    if n.is_multiple_of(2) { Ok(n / 2) } else { Err("odd".to_owned()) }
}

fn poll_once<F: Future>(future: F) {
    let polled = std::pin::pin!(future).poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    assert!(polled.is_pending());
}

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl MetricsSink for Notes {
    fn started(&self, stage: &str) {
        self.0.lock().unwrap().push(format!("{stage} started"));
    }

    fn ended(&self, stage: &str, after: Duration, end: End) {
        assert!(after < Duration::from_secs(60));
        self.0.lock().unwrap().push(format!("{stage} {}", end.as_str()));
    }

    fn batch(&self, stage: &str, items: usize) {
        self.0.lock().unwrap().push(format!("{stage} batch of {items}"));
    }
}

#[tokio::test]
async fn a_sink_sees_each_call_begin_and_end_once() {
    let notes = Arc::new(Notes::default());
    let metered = Metered::with_metrics(StageMetrics::to_sink("half", Arc::clone(&notes)), half);
    assert_eq!(metered.process(4).await, Ok(2));
    assert!(metered.process(3).await.is_err());
    poll_once(metered.process(99));
    metered.metrics().batch(7);
    metered.metrics().retried();
    let expected =
        ["half started", "half ok", "half started", "half error", "half started", "half dropped", "half batch of 7"];
    assert_eq!(*notes.0.lock().unwrap(), expected);
}

struct Sdk {
    spans: InMemorySpanExporter,
    metrics: InMemoryMetricExporter,
    meters: SdkMeterProvider,
}

static SDK: LazyLock<Sdk> = LazyLock::new(|| {
    let (spans, metrics) = (InMemorySpanExporter::default(), InMemoryMetricExporter::default());
    let tracers = SdkTracerProvider::builder().with_simple_exporter(spans.clone());
    let meters = SdkMeterProvider::builder().with_reader(PeriodicReader::builder(metrics.clone()).build()).build();
    global::set_tracer_provider(tracers.build());
    global::set_meter_provider(meters.clone());
    Sdk { spans, metrics, meters }
});

/// The sum of a counter's points whose attributes contain all of these texts.
fn counted(name: &str, wanted: &[&str]) -> i64 {
    SDK.meters.force_flush().unwrap();
    let last = SDK.metrics.get_finished_metrics().unwrap().pop().unwrap();
    let mut sum = 0;
    for metric in last.scope_metrics().flat_map(ScopeMetrics::metrics).filter(|metric| metric.name() == name) {
        let has = |attributes: Vec<String>| wanted.iter().all(|text| attributes.iter().any(|found| found == text));
        match metric.data() {
            AggregatedMetrics::U64(MetricData::Sum(points)) => {
                for point in points.data_points() {
                    let attributes = point.attributes().map(|found| found.value.to_string()).collect();
                    sum += if has(attributes) { i64::try_from(point.value()).unwrap() } else { 0 };
                }
            }
            AggregatedMetrics::I64(MetricData::Sum(points)) => {
                for point in points.data_points() {
                    let attributes = point.attributes().map(|found| found.value.to_string()).collect();
                    sum += if has(attributes) { point.value() } else { 0 };
                }
            }
            _ => panic!("{name} is a sum"),
        }
    }
    sum
}

#[tokio::test(flavor = "multi_thread")]
async fn opentelemetry_counts_calls_and_those_in_flight() {
    LazyLock::force(&SDK);
    let metered = Metered::new("counted", half);
    assert_eq!(metered.process(4).await, Ok(2));
    assert!(metered.process(3).await.is_err());
    {
        let mut call = std::pin::pin!(metered.process(99));
        poll_once(call.as_mut());
        assert_eq!(counted("flux.stage.active", &["counted"]), 1);
    }
    metered.metrics().retried();
    metered.metrics().circuit("open");
    for end in ["ok", "error", "dropped"] {
        assert_eq!(counted("flux.stage.calls", &["counted", end]), 1, "{end}");
    }
    assert_eq!(counted("flux.stage.active", &["counted"]), 0);
    assert_eq!(counted("flux.stage.retries", &["counted"]), 1);
    assert_eq!(counted("flux.stage.circuit.changes", &["counted", "open"]), 1);
}

#[tokio::test]
async fn a_call_is_a_span_and_its_calls_are_children() {
    LazyLock::force(&SDK);
    let inner = Traced::new("inner", half);
    let outer = Traced::new("outer", |n: u64| {
        let inner = inner.clone();
        async move {
            tokio::task::yield_now().await;
            inner.process(n).await
        }
    });
    let outer = outer.with_attribute("shop.region", "eu");
    assert!(outer.process(3).await.is_err());
    let spans = SDK.spans.get_finished_spans().unwrap();
    let span = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    assert_eq!(span("inner").parent_span_id, span("outer").span_context.span_id());
    assert_eq!(span("outer").status, Status::error(""));
    let attributes: Vec<_> = span("outer").attributes.iter().map(|found| found.value.to_string()).collect();
    assert_eq!(attributes, ["eu", "alloc::string::String"]);
}

#[cfg(feature = "breaker")]
#[tokio::test]
async fn the_state_of_a_circuit_is_a_gauge_as_long_as_it_is_there() {
    use flux_stage::{CircuitBreaker, CircuitConfig, GuardError};

    LazyLock::force(&SDK);
    let stage = |n: u64| async move { if n == 0 { Ok(()) } else { Err(GuardError::Stage("down")) } };
    let guarded = CircuitBreaker::new(stage, CircuitConfig::new().with_failures(1));
    guarded.circuit().report("guarded");
    assert_eq!(gauge("flux.stage.circuit.state", "guarded"), Some(0));
    assert!(guarded.process(1).await.is_err());
    assert_eq!(gauge("flux.stage.circuit.state", "guarded"), Some(2));
    drop(guarded);
    assert_eq!(gauge("flux.stage.circuit.state", "guarded"), None);
}

/// The point of a gauge with this attribute in what was collected last.
#[cfg(feature = "breaker")]
fn gauge(name: &str, wanted: &str) -> Option<u64> {
    SDK.meters.force_flush().unwrap();
    let last = SDK.metrics.get_finished_metrics().unwrap().pop().unwrap();
    let metric = last.scope_metrics().flat_map(ScopeMetrics::metrics).find(|metric| metric.name() == name)?;
    let AggregatedMetrics::U64(MetricData::Gauge(points)) = metric.data() else { panic!("{name} is a gauge") };
    let mut points = points.data_points();
    let point = points.find(|point| point.attributes().any(|found| found.value.to_string() == wanted))?;
    Some(point.value())
}
