//! What arrives at a collector that somebody else wrote, from a program that is set up by one call and the standard variables.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use flux_nats_server::Server;
use flux_testing::{Collector, Span};
use tokio::net::TcpListener;
use tokio::process::Command;

/// The spans of one order, each below the one before it.
const ORDER: [&str; 8] = [
    "POST",
    "POST /orders",
    "send orders.placed",
    "process orders.placed",
    "send orders.priced",
    "process orders.priced",
    "send orders.packed",
    "process orders.packed",
];

/// Runs the shop to its end: the trace that it printed, if it had one, and how long it took.
async fn shop(args: &[&str], variables: &[(&str, &str)]) -> (String, Duration) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
    command.args(args).envs(variables.iter().copied()).kill_on_drop(true);
    let started = Instant::now();
    let output = command.output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let (trace, answer) = said.trim().split_once(' ').unwrap();
    assert_eq!(answer, "ordered, priced, packed");
    (trace.to_owned(), started.elapsed())
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
        for transport in [&["mem"][..], &["nats", server.url()], &["jetstream", server.url()]] {
            let variables = [("OTEL_EXPORTER_OTLP_PROTOCOL", *protocol), ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)];
            let (trace, _) = shop(transport, &variables).await;
            let spans = collector.trace(&trace, ORDER.len()).await;
            assert_connected(&spans);
        }
    }
    assert_eq!(collector.traces().await, 6, "one trace for each order and nothing else");
}

#[tokio::test]
async fn metrics_arrive_under_the_name_of_the_service() {
    let collector = Collector::start().await;
    let endpoint = collector.http();
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_SERVICE_NAME", "corner-shop")];
    shop(&["mem"], &variables).await;
    for name in ["messaging.client.sent.messages", "messaging.process.duration", "flux.route.handled"] {
        let points = collector.metric(name).await;
        let text = serde_json::to_string(&points).unwrap();
        assert!(text.contains("corner-shop"), "{text}");
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

#[tokio::test]
async fn a_dead_collector_costs_nothing_but_the_telemetry() {
    // One that refuses, and one that takes the connection and is silent.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    for endpoint in ["http://127.0.0.1:9", &silent] {
        for protocol in ["grpc", "http/protobuf"] {
            let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)];
            let (_, took) = shop(&["mem"], &variables).await;
            // The flush at the end may take five seconds, and is all that takes time.
            assert!(took < Duration::from_secs(15), "{protocol} to {endpoint} took {took:?}");
        }
    }
}
