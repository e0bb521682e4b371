//! What the standard variables change in what leaves the process, as far as only a process can show it.

use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::timeout;

/// How long anything may take before the test fails.
const LIMIT: Duration = Duration::from_secs(60);

/// The shop with a collector that is a bare socket.
async fn shop(variables: &[(&str, &str)]) -> (Command, TcpListener) {
    let collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
    command.arg("mem").env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", collector.local_addr().unwrap()));
    command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    (command, collector)
}

/// Runs the shop and checks that it did its work.
async fn run(mut command: Command) -> Output {
    let output = timeout(LIMIT, command.output()).await.expect("it hangs").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("ordered, priced, packed"), "{said}");
    output
}

#[tokio::test]
async fn a_disabled_sdk_does_not_even_connect() {
    // The same program without the variable does.
    for (disabled, connects) in [("true", false), ("false", true)] {
        let (command, collector) =
            shop(&[("OTEL_SDK_DISABLED", disabled), ("OTEL_EXPORTER_OTLP_TIMEOUT", "100")]).await;
        run(command).await;
        // It has ended, so what it connected to waits in the listener's queue.
        let connected = timeout(Duration::ZERO, collector.accept()).await.is_ok();
        assert_eq!(connected, connects, "OTEL_SDK_DISABLED={disabled}");
    }
}

#[tokio::test]
async fn headers_go_along_and_a_silent_collector_is_given_up_after_the_timeout() {
    let variables =
        [("OTEL_EXPORTER_OTLP_HEADERS", "api-key=abc, tenant = a%20b"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "100")];
    let (command, collector) = shop(&variables).await;
    let started = Instant::now();
    let listening = tokio::spawn(async move {
        let (mut stream, _) = collector.accept().await.unwrap();
        let mut head = String::new();
        while !head.contains("\r\n\r\n") {
            let mut some = [0; 1024];
            let count = stream.read(&mut some).await.unwrap();
            assert_ne!(count, 0, "it ends in {head}");
            head.push_str(&String::from_utf8_lossy(some.get(..count).unwrap()));
        }
        // Kept open, and silent.
        (head, stream)
    });
    run(command).await;
    // The limit of the flush, which would end the wait otherwise, is five seconds.
    assert!(started.elapsed() < Duration::from_secs(4), "it ended after {:?}", started.elapsed());
    let (head, _stream) = timeout(LIMIT, listening).await.expect("it hangs").unwrap();
    assert!(head.contains("\r\napi-key: abc\r\n") && head.contains("\r\ntenant: a b\r\n"), "{head}");
}

#[tokio::test]
async fn a_value_that_is_not_supported_stops_the_program_at_its_start() {
    for (name, value) in [("OTEL_TRACES_SAMPLER", "xray"), ("OTEL_METRIC_EXPORT_INTERVAL", "1m")] {
        let (mut command, _collector) = shop(&[(name, value)]).await;
        let output = timeout(LIMIT, command.output()).await.expect("it hangs").unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(&format!("{name}={value}")), "{said}");
    }
}
