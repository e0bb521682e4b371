//! What metrics and traces show; a program of its own, because OpenTelemetry's globals are one for a process.
#![cfg(feature = "observe")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::future::pending;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use flux_core::Stage;
use flux_stage::{End, Metered, MetricsSink, StageExt, StageMetrics, Traced};
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

    fn retried(&self, stage: &str) {
        self.0.lock().unwrap().push(format!("{stage} retried"));
    }

    fn circuit(&self, stage: &str, state: &'static str) {
        self.0.lock().unwrap().push(format!("{stage} {state}"));
    }

    fn batch(&self, stage: &str, items: usize) {
        self.0.lock().unwrap().push(format!("{stage} batch of {items}"));
    }
}

impl Notes {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[tokio::test]
async fn a_sink_sees_each_call_begin_and_end_once() {
    let notes = Arc::new(Notes::default());
    let metered = half.metered(StageMetrics::to_sink("half", Arc::clone(&notes)));
    assert_eq!(metered.process(4).await, Ok(2));
    assert!(metered.process(3).await.is_err());
    poll_once(metered.process(99));
    let expected = ["half started", "half ok", "half started", "half error", "half started", "half dropped"];
    assert_eq!(notes.take(), expected);
}

/// Fails the first `times`.
#[cfg(all(feature = "batch", feature = "breaker", feature = "retry", feature = "spawn"))]
fn failing(times: usize) -> impl Stage<u64, Out = u64, Error = flux_core::Error> + 'static {
    let left = std::sync::atomic::AtomicUsize::new(times);
    let left = Arc::new(left);
    move |n: u64| {
        use std::sync::atomic::Ordering::SeqCst;

        let fails = left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        std::future::ready(if fails {
            Err(flux_core::Error::new(flux_core::ErrorKind::Unavailable, ""))
        } else {
            Ok(n)
        })
    }
}

#[cfg(all(feature = "batch", feature = "breaker", feature = "retry", feature = "spawn"))]
#[tokio::test(start_paused = true)]
async fn the_stages_inside_report_to_the_nearest_metered_around_them() {
    use flux_stage::{Backoff, CircuitConfig};

    let notes = Arc::new(Notes::default());
    let metrics = |stage: &'static str| StageMetrics::to_sink(stage, Arc::clone(&notes));
    let config = CircuitConfig::new().with_failures(2).with_reset_after(Duration::from_secs(1));
    let guarded = failing(2).circuit_breaker(config).retry().with_backoff(Backoff::constant(Duration::from_secs(2)));
    let stage = guarded.metered(metrics("inner")).metered(metrics("outer"));
    assert_eq!(stage.process(7).await.unwrap(), 7);
    let expected = [
        "outer started",
        "inner started",
        "inner retried",
        "inner open",
        "inner retried",
        "inner half_open",
        "inner closed",
        "inner ok",
        "outer ok",
    ];
    assert_eq!(notes.take(), expected);

    // Each of three callers runs in a call of its own; the one that drives reports.
    let all = |items: Vec<u64>| std::future::ready(Ok::<_, String>(items));
    let batched = all.batch(3).metered(metrics("batched"));
    let (one, two, three) = tokio::join!(batched.process(1), batched.process(2), batched.process(3));
    assert_eq!((one.unwrap(), two.unwrap(), three.unwrap()), (1, 2, 3));
    assert_eq!(notes.take().iter().filter(|note| *note == "batched batch of 3").count(), 1);

    // A task of its own is still part of the call; what runs outside of one reports to nobody.
    let retried = || failing(1).retry().with_backoff(Backoff::none());
    assert_eq!(
        retried().map_err(flux_core::Error::from).spawned().metered(metrics("task")).process(7).await.unwrap(),
        7
    );
    assert_eq!(notes.take(), ["task started", "task retried", "task ok"]);
    assert_eq!(retried().process(7).await.unwrap(), 7);
    assert_eq!(notes.take(), [""; 0]);
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

/// The sum of a counter's or a gauge's points whose attributes contain all of these texts.
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
            AggregatedMetrics::U64(MetricData::Gauge(points)) => {
                for point in points.data_points() {
                    let attributes = point.attributes().map(|found| found.value.to_string()).collect();
                    sum += if has(attributes) { i64::try_from(point.value()).unwrap() } else { 0 };
                }
            }
            _ => panic!("{name} is a sum or a gauge"),
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
    let reporting = |_: u64| {
        let metrics = StageMetrics::current().unwrap();
        metrics.retried();
        metrics.circuit("open");
        std::future::ready(Ok::<_, String>(()))
    };
    assert_eq!(Metered::new("reporting", reporting).process(1).await, Ok(()));
    for end in ["ok", "error", "dropped"] {
        assert_eq!(counted("flux.stage.calls", &["counted", end]), 1, "{end}");
    }
    assert_eq!(counted("flux.stage.active", &["counted"]), 0);
    assert_eq!(counted("flux.stage.retries", &["reporting"]), 1);
    assert_eq!(counted("flux.stage.circuit.changes", &["reporting", "open"]), 1);
    assert_eq!(counted("flux.stage.circuit.state", &["reporting"]), 2);
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

#[tokio::test]
async fn a_dropped_call_ends_its_span() {
    LazyLock::force(&SDK);
    let ended = || SDK.spans.get_finished_spans().unwrap().into_iter().filter(|span| span.name == "left");
    let traced = half.traced("left");
    {
        let mut call = std::pin::pin!(traced.process(99));
        poll_once(call.as_mut());
        assert_eq!(ended().count(), 0, "it is still under way");
    }
    let spans: Vec<_> = ended().collect();
    let attributes: Vec<_> = spans[0].attributes.iter().map(|found| found.value.to_string()).collect();
    assert_eq!((spans.len(), attributes), (1, vec!["dropped".to_owned()]), "it does not pass for a success");
}

#[cfg(feature = "spawn")]
#[tokio::test]
async fn a_task_is_part_of_the_trace_that_started_it() {
    LazyLock::force(&SDK);
    let outer = half.traced("in a task").map_err(|_| flux_core::Error::new(flux_core::ErrorKind::Closed, ""));
    assert_eq!(outer.spawned().traced("around the task").process(4).await.unwrap(), 2);
    let spans = SDK.spans.get_finished_spans().unwrap();
    let span = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    assert_eq!(span("in a task").parent_span_id, span("around the task").span_context.span_id());
}
