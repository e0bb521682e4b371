//! What OpenTelemetry and `tracing` get to know of routes; a program of its own, because the globals are one for a process.
#![cfg(all(feature = "telemetry", feature = "tracing"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use flux_codec::Json;
use flux_core::{Failure, Message, Publisher as _, Requester as _};
use flux_mem::{Mem, StreamConfig};
use flux_router::{Ladder, Route, Router};
use opentelemetry::global;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ScopeMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use tokio::sync::Semaphore;
use tracing_subscriber::fmt::format::FmtSpan;

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

/// The last value of a metric of one route, and of one class where it has classes.
fn value(name: &str, route: &str, class: &str) -> Option<f64> {
    SDK.meters.force_flush().unwrap();
    let last = SDK.metrics.get_finished_metrics().unwrap().pop().unwrap();
    let metric = last.scope_metrics().flat_map(ScopeMetrics::metrics).find(|metric| metric.name() == name)?;
    let wanted = |values: Vec<String>| {
        values.iter().any(|found| found == route) && (class.is_empty() || values.iter().any(|found| found == class))
    };
    macro_rules! find {
        ($points:expr) => {
            $points
                .find(|point| wanted(point.attributes().map(|found| found.value.to_string()).collect()))
                .map(|point| point.value() as f64)
        };
    }
    #[expect(clippy::cast_precision_loss, reason = "the tests count to ten")]
    match metric.data() {
        AggregatedMetrics::F64(MetricData::Gauge(points)) => find!(points.data_points()),
        AggregatedMetrics::U64(MetricData::Gauge(points)) => find!(points.data_points()),
        AggregatedMetrics::U64(MetricData::Sum(points)) => find!(points.data_points()),
        other => panic!("{name} is {other:?}"),
    }
}

fn gauge(name: &str, route: &str) -> Option<f64> {
    value(name, route, "")
}

#[tokio::test(start_paused = true)]
async fn a_route_tells_how_far_behind_it_is() {
    LazyLock::force(&SDK);
    let bus = Mem::stream(StreamConfig::new("lagging", ["lagging.>"])).unwrap().typed(Json);
    let gate = Arc::new(Semaphore::new(0));
    let passing = Arc::clone(&gate);
    let handle_one = move |_: Message<u32>| {
        let passing = Arc::clone(&passing);
        async move {
            passing.acquire().await.map_err(Failure::permanent)?.forget();
            Ok::<(), Failure>(())
        }
    };
    let route = Route::new("lagging.in", &bus, handle_one).named("lagging").without_run_limit();
    let router = Router::new().add(route);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    for number in 0..3_u32 {
        bus.publish("lagging.in", number).await.unwrap();
    }
    // The transport is asked every ten seconds, the last time five seconds ago.
    tokio::time::sleep(Duration::from_secs(25)).await;
    assert_eq!(gauge("flux.route.in_flight", "lagging"), Some(1.0));
    assert_eq!(gauge("flux.route.lag", "lagging"), Some(3.0));
    let age = gauge("flux.route.oldest.age", "lagging").unwrap();
    assert!((19.9..25.0).contains(&age), "{age}");

    gate.add_permits(3);
    handle.settled().await.unwrap();
    tokio::time::sleep(Duration::from_secs(25)).await;
    assert_eq!(gauge("flux.route.lag", "lagging"), Some(0.0));
    assert_eq!(gauge("flux.route.oldest.age", "lagging"), Some(0.0));
    assert_eq!(gauge("flux.route.handled", "lagging"), Some(3.0));
    handle.stop();
    running.await.unwrap().unwrap();
    drop(handle);
    assert_eq!(gauge("flux.route.lag", "lagging"), None, "a route that is gone has no lag");
    assert_eq!(gauge("flux.route.handled", "lagging"), Some(3.0), "what it did stays done");
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test]
async fn what_is_given_up_is_counted_and_logged_without_its_payload() {
    LazyLock::force(&SDK);
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_span_events(FmtSpan::NONE).with_ansi(false).without_time();
    let subscriber = subscriber.with_writer(move || writer.clone()).finish();
    let wire = Mem::new();
    let refuse = |_: Message<u32>| async { Err::<(), _>(Failure::permanent("no such account")) };
    let route = Route::new("given.up", &wire.typed(Json), refuse).named("refusing").ladder(Ladder::once());
    let router = Router::new().add(route);
    let handle = router.handle();
    let _logging = tracing::subscriber::set_default(subscriber);
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    wire.typed(Json).publish("given.up", 7_u32).await.unwrap();
    wire.typed(Json).publish("given.up", "top-secret-payload".to_owned()).await.unwrap();
    handle.settled().await.unwrap();
    assert_eq!(gauge("flux.route.dead_letters", "refusing"), Some(2.0));
    assert_eq!(gauge("flux.route.undecodable", "refusing"), Some(1.0));
    assert_eq!(value("flux.route.failures", "refusing", "permanent"), Some(1.0));
    handle.stop();
    running.await.unwrap().unwrap();

    let text = lines.text();
    assert!(text.contains("no such account") && text.contains("became a dead letter"), "{text}");
    assert!(text.contains(r#"class="undecodable""#) && text.contains(r#"route="refusing""#), "{text}");
    assert!(!text.contains("top-secret-payload"), "{text}");
}

/// Fails in a way of its own for each number.
async fn fail(message: Message<u32>) -> Result<(), Failure> {
    match message.payload {
        0 => Err(Failure::drop("stale")),
        1 => panic!("a bug"),
        2 => Err(Failure::permanent("no such account")),
        3 => Err(Failure::retry("not now")),
        _ => std::future::pending().await,
    }
}

#[tokio::test(start_paused = true)]
async fn each_class_of_failure_is_counted_and_what_is_lost_too() {
    LazyLock::force(&SDK);
    let bus = Mem::new();
    let route = Route::new("failing.all", &bus, fail).named("failing").ladder(Ladder::new().with_attempts(3));
    let route = route.without_dead_letters().max_run_time(Duration::from_secs(1));
    let router = Router::new().add(route);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    for number in 0..5_u32 {
        bus.publish("failing.all", number).await.unwrap();
    }
    handle.settled().await.unwrap();
    for (class, calls) in [("drop", 1.0), ("panic", 3.0), ("permanent", 1.0), ("retry", 3.0), ("timeout", 3.0)] {
        assert_eq!(value("flux.route.failures", "failing", class), Some(calls), "{class}");
    }
    assert_eq!(gauge("flux.route.retries", "failing"), Some(6.0));
    assert_eq!(gauge("flux.route.lost", "failing"), Some(4.0), "all but what was to be dropped");
    assert_eq!(gauge("flux.route.handled", "failing"), Some(0.0));
    handle.stop();
    running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_does_not_arrive_is_counted() {
    LazyLock::force(&SDK);
    let bus = Mem::new();
    let (gate, began) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (passing, beginning) = (Arc::clone(&gate), Arc::clone(&began));
    let echo = move |request: Message<u32>| {
        let (passing, beginning) = (Arc::clone(&passing), Arc::clone(&beginning));
        async move {
            beginning.add_permits(1);
            passing.acquire().await.map_err(Failure::permanent)?.forget();
            Ok::<u32, Failure>(request.payload)
        }
    };
    let router = Router::new().respond("asked.once", &bus, echo);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    let asking = bus.clone();
    let asked = tokio::spawn(async move { asking.request("asked.once", 7_u32).await.map(|_: u32| ()) });
    began.acquire().await.unwrap().forget();
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    gate.add_permits(1);
    handle.stop();
    running.await.unwrap().unwrap();
    assert_eq!(gauge("flux.route.unsettled", "asked.once"), Some(1.0));
}

#[tokio::test]
async fn what_is_logged_of_a_message_is_in_its_trace() {
    use opentelemetry::trace::TraceContextExt as _;

    LazyLock::force(&SDK);
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&seen);
    let bus = Mem::new();
    let refuse = |_: Message<u32>| async { Err::<(), _>(Failure::permanent("no")) };
    let router = Router::new().route("traced.up", &bus, refuse).on_event(move |_, event| {
        if matches!(event, flux_router::Event::DeadLettered { .. }) {
            let trace = opentelemetry::Context::current().span().span_context().trace_id();
            heard.lock().unwrap().push(trace.to_string());
        }
    });
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    bus.publish("traced.up", 7_u32).await.unwrap();
    handle.settled().await.unwrap();
    handle.stop();
    running.await.unwrap().unwrap();
    let spans = SDK.spans.get_finished_spans().unwrap();
    let sent = spans.iter().find(|span| span.name == "send traced.up").unwrap();
    assert_eq!(*seen.lock().unwrap(), [sent.span_context.trace_id().to_string()]);
}
