//! What is counted of a route on a real server.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use flux_codec::Json;
use flux_core::{Failure, Message, Publisher as _};
use flux_jetstream::{JetStream, StreamConfig};
use flux_nats_server::Server;
use flux_router::{Ladder, Route, Router};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ScopeMetrics};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::SDK;

/// How long the route may take to ask the server, which it does every ten seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The last value of a metric of the one route that has it.
fn value(name: &str) -> Option<f64> {
    SDK.meters.force_flush().unwrap();
    let last = SDK.metrics.get_finished_metrics().unwrap().pop()?;
    let metric = last.scope_metrics().flat_map(ScopeMetrics::metrics).find(|metric| metric.name() == name)?;
    macro_rules! of_route {
        ($points:expr) => {
            $points
                .data_points()
                .find(|point| point.attributes().any(|pair| pair.value.as_str() == "packing"))
                .map(|point| point.value())
        };
    }
    #[expect(clippy::cast_precision_loss, reason = "the test counts to four")]
    match metric.data() {
        AggregatedMetrics::F64(MetricData::Gauge(points)) => of_route!(points),
        AggregatedMetrics::U64(MetricData::Gauge(points)) => of_route!(points).map(|value| value as f64),
        AggregatedMetrics::U64(MetricData::Sum(points)) => of_route!(points).map(|value| value as f64),
        other => panic!("{name} is {other:?}"),
    }
}

/// Waits until a metric has a value that is right.
async fn until(name: &str, right: impl Fn(f64) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !value(name).is_some_and(&right) {
        assert!(Instant::now() < deadline, "{name} is {:?}", value(name));
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_route_on_a_server_tells_how_far_behind_it_is() {
    LazyLock::force(&SDK);
    let server = Server::builder().with_jetstream().start().await.unwrap_or_else(|error| panic!("{error}"));
    let stream = JetStream::connect(server.url()).await.unwrap();
    let stream = stream.stream(StreamConfig::new("orders", ["orders.>", "dlq.>"])).await.unwrap();
    let bus = stream.typed(Json);
    // They are there before anybody looks, so the first look sees them.
    for number in 0..4_u32 {
        bus.publish("orders.placed", number).await.unwrap();
    }
    let gate = Arc::new(Semaphore::new(0));
    let passing = Arc::clone(&gate);
    let pack = move |order: Message<u32>| {
        let passing = Arc::clone(&passing);
        async move {
            passing.acquire().await.map_err(Failure::permanent)?.forget();
            if order.payload == 3 { Err(Failure::permanent("no such article")) } else { Ok(()) }
        }
    };
    let route = Route::new("orders.placed", &bus, pack).named("packing").without_run_limit().ladder(Ladder::once());
    let router = Router::new().add(route);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    until("flux.route.in_flight", |messages| messages >= 1.0).await;
    until("flux.route.lag", |messages| messages >= 4.0).await;
    until("flux.route.oldest.age", |seconds| seconds > 0.0 && seconds < 60.0).await;
    gate.add_permits(4);
    until("flux.route.handled", |messages| messages >= 3.0).await;
    until("flux.route.dead_letters", |messages| messages >= 1.0).await;
    until("flux.route.in_flight", |messages| messages <= 0.0).await;
    until("flux.route.lag", |messages| messages <= 0.0).await;
    handle.stop();
    running.await.unwrap().unwrap();
}
