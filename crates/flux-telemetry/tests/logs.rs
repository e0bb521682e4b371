//! What lines of a log show, and what they hide.
#![cfg(feature = "logs")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use flux_telemetry::{LogLines, Redact};
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use tracing_subscriber::prelude::*;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("never held").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What `work` logs.
fn logged(logs: LogLines, work: impl FnOnce()) -> String {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::registry().with(logs.with_writer(lines.clone()));
    tracing::subscriber::with_default(subscriber, work);
    String::from_utf8(lines.0.lock().expect("never held").clone()).expect("text")
}

/// Without its time, of which only the shape is certain.
fn after_time(line: &str) -> &str {
    let (time, rest) = line.split_once(' ').expect("a time comes first");
    assert!(time.len() == "2026-01-01T00:00:00.000000Z".len() && time.ends_with('Z'), "{time}");
    rest
}

#[test]
fn secrets_are_hidden_in_events_and_in_spans() {
    let work = || {
        let span = tracing::info_span!("request", api_key = "k-1", user = 7, token = tracing::field::Empty);
        let _entered = span.enter();
        span.record("token", "t-1");
        tracing::info!(target: "shop", password = "hunter2", Authorization = ?"Bearer x", items = 3, "logged in");
    };
    let text = logged(LogLines::text(), work);
    assert_eq!(
        after_time(&text),
        " INFO shop:request{api_key=[hidden] token=[hidden] user=7}: logged in Authorization=[hidden] items=3 \
         password=[hidden]\n"
    );
    let json: serde_json::Value = serde_json::from_str(&logged(LogLines::json(), work)).expect("one object");
    assert_eq!(json["fields"]["password"], "[hidden]");
    assert_eq!(json["fields"]["items"], 3);
    assert_eq!(json["spans"][0]["fields"]["token"], "[hidden]");
    assert_eq!((&json["message"], &json["level"]), (&"logged in".into(), &"INFO".into()));
    let own = logged(LogLines::text().with_redaction(Redact::only(["items"])), work);
    assert!(own.contains("password=hunter2") && own.contains("items=[hidden]"), "{own}");
}

#[test]
fn secrets_are_hidden_inside_of_values() {
    let mut headers = flux_core::Headers::new();
    headers.insert("Authorization", "Bearer x").expect("valid");
    headers.insert("X-Message-ID", "order-1").expect("valid");
    let query = "id=1&access_token=t-1";
    let work = || tracing::info!(?headers, query, "took {headers:?}");
    for logs in [LogLines::text(), LogLines::json()] {
        let text = logged(logs, work);
        assert!(!text.contains("Bearer") && !text.contains("t-1"), "{text}");
        assert_eq!(text.matches("order-1").count(), 2, "{text}");
        assert_eq!(text.matches("[hidden]").count(), 3, "{text}");
    }
}

#[test]
fn a_line_inside_a_trace_has_its_ids() {
    let ids = SpanContext::new(
        TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736").expect("valid"),
        SpanId::from_hex("00f067aa0ba902b7").expect("valid"),
        TraceFlags::SAMPLED,
        false,
        TraceState::NONE,
    );
    let context = Context::new().with_remote_span_context(ids);
    let work = || {
        let _attached = context.clone().attach();
        tracing::warn!("late");
    };
    let text = logged(LogLines::text(), work);
    assert!(text.ends_with("late trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7\n"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&logged(LogLines::json(), work)).expect("one object");
    assert_eq!(json["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(json["span_id"], "00f067aa0ba902b7");
    let outside = logged(LogLines::text(), || tracing::warn!("late"));
    assert!(!outside.contains("trace_id"), "{outside}");
}

#[test]
fn a_value_cannot_forge_a_line() {
    let work = || tracing::info!(user = "eve\n2026-01-01 INFO admin: ok", "hello\nworld\u{1b}[31m");
    for logs in [LogLines::text(), LogLines::json()] {
        let text = logged(logs, work);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
