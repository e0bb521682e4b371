//! One line of a log.

use std::fmt::Write as _;

use opentelemetry::trace::{SpanId, TraceId};
use serde_json::{Map, Value, json};
use tracing::Metadata;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

use super::Format;
use super::fields::Recorded;

/// What is known of an event.
pub(super) struct Line {
    metadata: &'static Metadata<'static>,
    event: Recorded,
    /// The spans that it is in, the outermost first.
    spans: Vec<(&'static str, Map<String, Value>)>,
    trace: Option<(TraceId, SpanId)>,
}

impl Line {
    pub(super) fn new(metadata: &'static Metadata<'static>, event: Recorded) -> Self {
        Self { metadata, event, spans: Vec::new(), trace: None }
    }

    pub(super) fn inside(&mut self, name: &'static str, recorded: &Recorded) {
        self.spans.push((name, recorded.fields.clone()));
    }

    pub(super) fn traced(&mut self, trace: TraceId, span: SpanId) {
        self.trace = Some((trace, span));
    }

    /// The line, with its end.
    pub(super) fn finish(self, format: Format) -> String {
        let time = now();
        match format {
            Format::Json => self.json(&time),
            Format::Text => self.text(&time),
        }
    }

    fn json(self, time: &str) -> String {
        let mut line = Map::new();
        let mut put = |key: &str, value: Value| line.insert(key.to_owned(), value);
        put("timestamp", time.into());
        put("level", self.metadata.level().as_str().into());
        put("target", self.metadata.target().into());
        put("fields", self.event.fields.into());
        if let Some(message) = self.event.message {
            put("message", message.into());
        }
        if let Some((trace, span)) = self.trace {
            put("trace_id", trace.to_string().into());
            put("span_id", span.to_string().into());
        }
        if !self.spans.is_empty() {
            let spans = self.spans.into_iter().map(|(name, fields)| json!({ "name": name, "fields": fields }));
            put("spans", spans.collect());
        }
        format!("{}\n", Value::Object(line))
    }

    fn text(self, time: &str) -> String {
        let mut line = format!("{time} {:>5} {}", self.metadata.level(), self.metadata.target());
        for (name, fields) in self.spans {
            // Writing to a string cannot fail, here and below.
            let _ = write!(line, ":{name}");
            if !fields.is_empty() {
                line.push('{');
                line.push_str(pairs(&fields).trim_start());
                line.push('}');
            }
        }
        line.push(':');
        if let Some(message) = self.event.message {
            line.push(' ');
            line.push_str(&escaped(&message));
        }
        line.push_str(&pairs(&self.event.fields));
        if let Some((trace, span)) = self.trace {
            let _ = write!(line, " trace_id={trace} span_id={span}");
        }
        line.push('\n');
        line
    }
}

/// ` key=value` for each field; a value with spaces or quotes in it is quoted.
fn pairs(fields: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        let value = match value {
            Value::String(value) if value.contains([' ', '"', '=']) || value.is_empty() => format!("{value:?}"),
            Value::String(value) => escaped(value),
            value => value.to_string(),
        };
        let _ = write!(text, " {name}={value}");
    }
    text
}

/// Without line ends and control characters, with which a value could forge a line or steer a terminal.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() {
            escaped.extend(letter.escape_default());
        } else {
            escaped.push(letter);
        }
    }
    escaped
}

/// RFC 3339 in UTC, to the microsecond.
fn now() -> String {
    let mut time = String::new();
    // A clock before 1970 is the only way to fail, and leaves the time out.
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    time
}
