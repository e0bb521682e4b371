//! The metrics as Prometheus gets them.
#![cfg(all(feature = "otlp-http", feature = "prometheus"))]

use flux_core::{Headers, Result, Telemetry, subject};
use flux_telemetry::{Prometheus, Setup};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use tower_service::Service as _;

/// One program, one set-up: the globals are the process's.
#[tokio::test]
async fn a_scrape_has_the_metrics_by_prometheus_names() -> Result<()> {
    let mut prometheus = Prometheus::new();
    // The collector is dead, which must not matter here.
    let setup = Setup::new("orders").with_endpoint("http://127.0.0.1:9").with_prometheus(&prometheus);
    let guard = setup.with_flush_limit(std::time::Duration::from_millis(200)).install()?;
    Telemetry::new("mem").send(&subject!("orders.created"), &mut Headers::new()).finish(Ok(()));

    let request = |method: Method| Request::builder().method(method).uri("/metrics").body(()).expect("valid");
    let Ok(answer) = prometheus.call(request(Method::GET)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4");
    let text =
        String::from_utf8(answer.into_body().collect().await.expect("in memory").to_bytes().to_vec()).expect("text");
    let line = text.lines().find(|line| line.starts_with("messaging_client_sent_messages_total{")).expect("is there");
    assert!(line.contains(r#"messaging_system="mem""#) && line.ends_with(" 1"), "{line}");
    assert!(text.contains("messaging_client_operation_duration_seconds_bucket{"), "{text}");
    let info = text.lines().find(|line| line.starts_with("target_info{")).expect("is there");
    assert!(info.contains(r#"service_name="orders""#), "{info}");

    let Ok(head) = prometheus.call(request(Method::HEAD)).await;
    assert_eq!((head.status(), head.into_body().collect().await.expect("empty").to_bytes().len()), (StatusCode::OK, 0));
    let Ok(post) = prometheus.call(request(Method::POST)).await;
    assert_eq!(
        (post.status(), &post.headers()["allow"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"GET, HEAD".parse().expect("valid"))
    );

    let started = std::time::Instant::now();
    guard.shutdown().expect_err("nobody listens there");
    assert!(started.elapsed() < std::time::Duration::from_secs(2), "the limit holds");
    Ok(())
}
