//! Logs of `tracing` as lines, with trace ids and without secrets.

mod fields;
mod line;

use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use opentelemetry::Context as Telemetry;
use opentelemetry::trace::TraceContextExt as _;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use self::fields::Fields;
use self::line::Line;
use crate::Redact;

/// How a line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For people: time, level, target, message, then `key=value`.
    #[default]
    Text,
}

/// A layer of `tracing-subscriber` that writes one line an event.
///
/// A line inside a handler has the ids of the handler's trace, `trace_id` and `span_id`, so that logs and traces find each
/// other. Fields whose names are secret are [hidden](Redact). Text is escaped, so that nothing can forge a line. Which events
/// are written is up to the filters of `tracing-subscriber`.
///
/// ```
/// use flux_telemetry::LogLines;
/// use tracing_subscriber::filter::LevelFilter;
/// use tracing_subscriber::prelude::*;
///
/// let logs = LogLines::text().with_filter(LevelFilter::INFO);
/// tracing_subscriber::registry().with(logs).init();
/// tracing::info!(password = "hunter2", "logged in"); // … INFO …: logged in password=[hidden]
/// ```
pub struct LogLines {
    format: Format,
    redact: Redact,
    writer: Mutex<Box<dyn Write + Send>>,
}

impl LogLines {
    /// Text for people, to standard error.
    #[must_use]
    pub fn text() -> Self {
        Self { format: Format::Text, redact: Redact::default(), writer: Mutex::new(Box::new(io::stderr())) }
    }

    /// JSON, to standard error.
    #[must_use]
    pub fn json() -> Self {
        Self { format: Format::Json, ..Self::text() }
    }

    /// Which fields are hidden. Default: those of [`Redact::default`].
    #[must_use]
    pub fn with_redaction(mut self, redact: Redact) -> Self {
        self.redact = redact;
        self
    }

    /// Where the lines go, each in one call of `write_all`. It is called in the middle of the work, so it should not block.
    #[must_use]
    pub fn with_writer(self, writer: impl Write + Send + 'static) -> Self {
        Self { writer: Mutex::new(Box::new(writer)), ..self }
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for LogLines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::new(&self.redact);
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields.done());
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut extensions = span.extensions_mut();
        if let Some(found) = extensions.get_mut::<fields::Recorded>() {
            let mut fields = Fields::new(&self.redact);
            values.record(&mut fields);
            found.add(fields.done());
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::new(&self.redact);
        event.record(&mut fields);
        let mut line = Line::new(event.metadata(), fields.done());
        for span in context.event_scope(event).into_iter().flat_map(tracing_subscriber::registry::Scope::from_root) {
            if let Some(recorded) = span.extensions().get::<fields::Recorded>() {
                line.inside(span.name(), recorded);
            }
        }
        Telemetry::map_current(|current| {
            let span = current.span();
            let ids = span.span_context();
            if ids.is_valid() {
                line.traced(ids.trace_id(), ids.span_id());
            }
        });
        let text = line.finish(self.format);
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // A log that cannot be written must not end the work that it tells of.
        let _ = writer.write_all(text.as_bytes());
    }
}

impl fmt::Debug for LogLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogLines").field("format", &self.format).field("redact", &self.redact).finish_non_exhaustive()
    }
}
