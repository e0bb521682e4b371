//! What arrives at a collector that somebody else wrote, from a program that is set up by one call and the standard variables.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod names;
mod variables;

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use flux_nats_server::Server;
use flux_testing::{Collector, Span};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;

/// The spans of one order, each below the one before it.
const ORDER: [&str; 8] = [
    "POST",
    "process orders",
    "send orders.placed",
    "process orders.placed",
    "send orders.priced",
    "process orders.priced",
    "send orders.packed",
    "process orders.packed",
];

/// Runs the shop to its end: the trace of its order.
async fn shop(args: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
    command.args(args).envs(variables.iter().copied()).kill_on_drop(true);
    let output = command.output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let (trace, answer) = said.trim().split_once(' ').unwrap();
    assert_eq!(answer, "ordered, priced, packed");
    trace.to_owned()
}

/// Follows an order from parent to child.
fn assert_connected(spans: &[Span]) {
    let below: BTreeMap<_, _> =
        spans.iter().map(|span| (span.parent_span_id.clone().unwrap_or_default(), span)).collect();
    let mut parent = String::new();
    for name in ORDER {
        let span = below.get(&parent).unwrap_or_else(|| panic!("nothing is below {parent}, in {spans:#?}"));
        assert_eq!(span.name, name);
        parent.clone_from(&span.span_id);
    }
    assert_eq!(spans.len(), ORDER.len());
}

#[tokio::test]
async fn an_order_is_one_trace_on_every_transport_and_over_both_protocols() {
    let collector = Collector::start().await;
    let server = Server::builder().with_jetstream().start().await.unwrap_or_else(|error| panic!("{error}"));
    let protocols = [("grpc", collector.grpc()), ("http/protobuf", collector.http())];
    for (protocol, endpoint) in &protocols {
        let url = server.url();
        for transport in [&["mem"][..], &["mem-stream"], &["nats", url], &["jetstream", url], &["http"]] {
            let variables = [("OTEL_EXPORTER_OTLP_PROTOCOL", *protocol), ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)];
            let trace = shop(transport, &variables).await;
            let spans = collector.trace(&trace, ORDER.len()).await;
            assert_connected(&spans);
        }
    }
    assert_eq!(collector.traces().await, 10, "one trace for each order and nothing else");
}

#[tokio::test]
async fn metrics_arrive_over_both_protocols_under_the_name_of_the_service_and_with_its_attributes() {
    for protocol in ["grpc", "http/protobuf"] {
        let collector = Collector::start().await;
        let endpoint = if protocol == "grpc" { collector.grpc() } else { collector.http() };
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", protocol),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging"),
            ("OTEL_SERVICE_NAME", "corner-shop"),
            ("OTEL_TRACES_EXPORTER", "none"),
        ];
        let trace = shop(&["mem"], &variables).await;
        assert_eq!(trace, "0".repeat(32), "there are no traces");
        for name in ["messaging.client.sent.messages", "messaging.process.duration", "flux.route.handled"] {
            let points = collector.metric(name).await;
            let text = serde_json::to_string(&points).unwrap();
            assert!(text.contains("corner-shop") && text.contains("staging"), "{protocol}: {text}");
        }
    }
}

#[tokio::test]
async fn what_is_not_sampled_is_not_sent() {
    let collector = Collector::start().await;
    let endpoint = collector.http();
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0"),
    ];
    shop(&["mem"], &variables).await;
    collector.metric("flux.route.handled").await;
    assert_eq!(collector.traces().await, 0, "metrics came, which are sent after the traces");
}

/// How long the shop takes to serve so many orders, and then to end, when its telemetry goes to `endpoint`.
async fn serve(orders: usize, endpoint: &str, protocol: &str) -> [Duration; 2] {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
    command.arg("mem").env("ORDERS", orders.to_string());
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
    // Sends all the time, so that what waits for the collector waits while orders are served.
    command
        .env("OTEL_BSP_SCHEDULE_DELAY", "1")
        .env("OTEL_BSP_MAX_QUEUE_SIZE", "8")
        .env("OTEL_METRIC_EXPORT_INTERVAL", "1");
    command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let started = Instant::now();
    let mut shop = command.spawn().unwrap();
    let mut lines = BufReader::new(shop.stdout.take().unwrap()).lines();
    for _ in 0..orders {
        let line = lines.next_line().await.unwrap().unwrap();
        assert!(line.ends_with("ordered, priced, packed"), "{line}");
    }
    let (served, ending) = (started.elapsed(), Instant::now());
    assert!(shop.wait().await.unwrap().success());
    [served, ending.elapsed()]
}

#[tokio::test]
async fn a_dead_collector_costs_nothing_but_the_telemetry() {
    // One that refuses, and one that takes the connection and is silent.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    for endpoint in ["http://127.0.0.1:9", &silent] {
        for protocol in ["grpc", "http/protobuf"] {
            let [served, ended] = serve(300, endpoint, protocol).await;
            // An exchange with the silent one takes ten seconds; a shop that waited for a single one would be later.
            assert!(served < Duration::from_secs(8), "{protocol} to {endpoint}: served in {served:?}");
            // The flush at the end may take five seconds.
            assert!(ended < Duration::from_secs(10), "{protocol} to {endpoint}: ended after {ended:?}");
        }
    }
}
