//! What each option of the set-up changes in what a collector gets.
#![cfg(feature = "otlp-http")]

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use flux_core::ErrorKind;
use flux_telemetry::{Protocol, Redact, Setup};
use opentelemetry::trace::{Span as _, SpanContext, SpanId, TraceFlags, TraceId, TraceState, Tracer as _};
use opentelemetry::{KeyValue, global};

/// OpenTelemetry's globals are one for the process, so one test at a time sets them.
static GLOBALS: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    GLOBALS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request that a collector got.
struct Request {
    line: String,
    /// Protobuf, in which text stands as it is.
    body: Vec<u8>,
}

impl Request {
    fn count(&self, text: &str) -> usize {
        self.body.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
    }
}

/// A collector: where it is, and what it gets.
fn collector() -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let (got, requests) = sync_channel(64);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, got) = (stream.expect("a connection"), got.clone());
            thread::spawn(move || converse(stream, &got));
        }
    });
    (url, requests)
}

/// Takes requests of HTTP/1.1 until the peer closes; of HTTP/2 only the first line.
fn converse(stream: TcpStream, got: &SyncSender<Request>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line.starts_with("PRI ") {
            let _ = got.send(Request { line, body: Vec::new() });
            return Ok(());
        }
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            match header.trim_end().to_ascii_lowercase().split_once(": ") {
                Some(("content-length", value)) => length = value.parse().expect("a number"),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        if got.send(Request { line, body }).is_err() {
            return Ok(());
        }
        reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
    }
}

fn next(requests: &Receiver<Request>) -> Request {
    requests.recv_timeout(Duration::from_secs(20)).expect("something is sent")
}

fn paid() -> KeyValue {
    KeyValue::new("password", "hunter2")
}

/// Records a span with secrets of each kind in each place.
fn record_secrets() {
    let other =
        SpanContext::new(TraceId::from(1_u128), SpanId::from(2_u64), TraceFlags::SAMPLED, true, TraceState::NONE);
    let tracer = global::tracer("shop");
    let mut span = tracer.start("order");
    span.set_attribute(paid());
    span.set_attribute(KeyValue::new("order.id", "42-42"));
    span.set_attribute(KeyValue::new("customer.iban", "DE02"));
    span.add_event("paid", vec![paid()]);
    span.add_link(other, vec![paid()]);
    span.end();
}

#[test]
fn secrets_of_spans_are_hidden_before_they_are_sent() {
    let _alone = alone();
    let (url, requests) = collector();
    let setup = || Setup::new("shop").with_endpoint(&url).without_metrics();
    let guard = setup().install().expect("installed");
    global::meter("shop").u64_counter("orders").build().add(1, &[]);
    record_secrets();
    guard.shutdown().expect("sent");
    let sent = next(&requests);
    assert!(sent.line.starts_with("POST /v1/traces "), "{}", sent.line);
    assert_eq!((sent.count("hunter2"), sent.count("[hidden]")), (0, 3), "of the span, its event and its link");
    assert!(requests.try_recv().is_err(), "no metrics");
    assert_eq!((sent.count("password"), sent.count("42-42"), sent.count("DE02")), (3, 1, 1));

    let guard = setup().with_redaction(Redact::only(["iban"])).install().expect("installed");
    record_secrets();
    guard.shutdown().expect("sent");
    let sent = next(&requests);
    assert_eq!((sent.count("hunter2"), sent.count("[hidden]"), sent.count("DE02")), (3, 1, 0));
}

#[test]
fn metrics_are_sent_so_often_with_the_attributes_of_the_resource_and_traces_only_if_wanted() {
    let _alone = alone();
    let (url, requests) = collector();
    let setup = Setup::new("corner-shop").with_endpoint(format!("{url}/")).with_interval(Duration::from_millis(10));
    let setup = setup.with_attribute("deployment.environment.name", "staging").without_traces();
    let guard = setup.install().expect("installed");
    global::meter("shop").u64_counter("orders").build().add(1, &[]);
    record_secrets();
    // Nobody flushes, and the default is a minute.
    for _ in 0..2 {
        let sent = next(&requests);
        assert!(sent.line.starts_with("POST /v1/metrics "), "{}", sent.line);
        for text in ["corner-shop", "deployment.environment.name", "staging", "orders"] {
            assert_eq!(sent.count(text), 1, "{text}");
        }
    }
    guard.shutdown().expect("sent");
    assert!(requests.try_iter().all(|sent| sent.line.starts_with("POST /v1/metrics ")), "no traces");
}

#[test]
#[cfg(feature = "otlp-grpc")]
fn the_protocol_is_the_one_that_is_asked_for() {
    let _alone = alone();
    for (protocol, line) in [(Protocol::Grpc, "PRI * HTTP/2.0"), (Protocol::HttpProtobuf, "POST /v1/traces ")] {
        let (url, requests) = collector();
        let setup = Setup::new("shop").with_endpoint(&url).with_protocol(protocol).without_metrics();
        let guard = setup.with_flush_limit(Duration::ZERO).install().expect("installed");
        record_secrets();
        // Whether it gets there in time does not matter to what is said first.
        let _ = guard.flush();
        assert!(next(&requests).line.starts_with(line), "{protocol:?}");
    }
}

#[test]
fn the_flush_at_the_end_takes_no_longer_than_it_may() {
    let _alone = alone();
    // Takes connections, and is silent.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", silent.local_addr().expect("bound"));
    let setup = Setup::new("shop").with_endpoint(url).without_metrics();
    let guard = setup.with_flush_limit(Duration::from_millis(50)).install().expect("installed");
    record_secrets();
    let started = Instant::now();
    assert_eq!(guard.shutdown().expect_err("nobody answers").kind(), ErrorKind::TimedOut);
    assert!(started.elapsed() < Duration::from_secs(4), "the default is five seconds");
}

#[test]
fn an_address_that_cannot_be_sent_to_is_refused() {
    let _alone = alone();
    let mut protocols = vec![Protocol::HttpProtobuf];
    if cfg!(feature = "otlp-grpc") {
        protocols.push(Protocol::Grpc);
    }
    for protocol in protocols {
        for bad in ["https://collector:4318", "HTTPS://collector:4317", "http://a b"] {
            let error = Setup::new("shop").with_protocol(protocol).with_endpoint(bad).install().expect_err(bad);
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{protocol:?} to {bad}: {error}");
        }
    }
    for bad in ["collector:4318", "collector", "ftp://collector", "/"] {
        let error = Setup::new("shop").with_endpoint(bad).install().expect_err(bad);
        assert!(error.kind() == ErrorKind::InvalidInput && error.to_string().contains("`http://`"), "{bad}: {error}");
    }
}
