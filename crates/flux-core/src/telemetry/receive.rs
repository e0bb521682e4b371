//! What a fetch reports: one span for all it brought, linked to where each message was sent.

use std::time::{Instant, SystemTime};

use opentelemetry::trace::{Link, Span as _, SpanKind, Status, Tracer as _};
use opentelemetry::{Context, KeyValue};

use super::{Installed, Telemetry, error_type, semconv, w3c};
use crate::{Error, Message};

impl Telemetry {
    /// Begins to fetch messages. A fetch that brings none reports nothing.
    #[inline]
    pub fn receive(&self) -> Receiving<'_> {
        if self.is_silent() { Receiving(None) } else { self.receive_observed() }
    }

    #[inline(never)]
    fn receive_observed(&self) -> Receiving<'_> {
        let begin = |installed| {
            let (system, parent) = (self.inner.system, Context::current());
            Box::new(Begun { installed, system, parent, at: SystemTime::now(), started: Instant::now() })
        };
        Receiving(self.installed().map(begin))
    }
}

/// Messages that are being fetched. Dropped unfinished, it reports nothing.
#[derive(Debug)]
#[must_use = "call `finish` with the result"]
pub struct Receiving<'t>(Option<Box<Begun<'t>>>);

#[derive(Debug)]
struct Begun<'t> {
    installed: &'t Installed,
    system: &'static str,
    parent: Context,
    at: SystemTime,
    started: Instant,
}

impl Receiving<'_> {
    /// Ends the span and records the metrics. `result` has the messages that came.
    #[inline]
    pub fn finish<'m, T: 'm, M>(self, result: Result<M, &Error>)
    where
        M: Iterator<Item = &'m Message<T>>,
    {
        if let Some(begun) = self.0 {
            begun.finish(result);
        }
    }
}

impl Begun<'_> {
    #[inline(never)]
    fn finish<'m, T: 'm>(self, result: Result<impl Iterator<Item = &'m Message<T>>, &Error>) {
        let (messages, error) = match result {
            Ok(messages) => (messages.collect(), None),
            Err(error) => (Vec::new(), Some(error)),
        };
        if messages.is_empty() && error.is_none() {
            return;
        }
        self.report(&messages, error);
        if let Some(instruments) = &self.installed.instruments {
            instruments.received(messages.len(), self.started.elapsed(), error.map(error_type));
        }
    }

    /// Made at the end, when the links are known: a sampler may look at them.
    fn report<T>(&self, messages: &[&Message<T>], error: Option<&Error>) {
        let Some(tracing) = &self.installed.tracing else { return };
        let (first, rest) = messages.split_first().map_or((None, messages), |(first, rest)| (Some(*first), rest));
        // A batch has a destination if all of it has the same.
        let shared = first.map(|first| &first.subject).filter(|subject| rest.iter().all(|it| it.subject == **subject));
        let name = shared.map_or_else(|| "receive".to_owned(), |subject| format!("receive {subject}"));
        let links = messages.iter().filter_map(|message| w3c::extract(&message.headers)).map(Link::with_context);
        let mut attributes = vec![
            KeyValue::new(semconv::SYSTEM, self.system),
            KeyValue::new(semconv::OPERATION_NAME, "receive"),
            KeyValue::new(semconv::OPERATION_TYPE, "receive"),
            KeyValue::new(semconv::BATCH_MESSAGE_COUNT, i64::try_from(messages.len()).unwrap_or(i64::MAX)),
        ];
        attributes.extend(shared.map(|subject| KeyValue::new(semconv::DESTINATION_NAME, subject.to_string())));
        let builder = tracing.tracer.span_builder(name).with_kind(SpanKind::Client).with_start_time(self.at);
        let builder = builder.with_links(links.collect()).with_attributes(attributes);
        let mut span = tracing.tracer.build_with_context(builder, &self.parent);
        if let Some(error) = error {
            span.set_attribute(KeyValue::new(semconv::ERROR_TYPE, error_type(error)));
            span.set_status(Status::error(error.to_string()));
        }
        span.end();
    }
}
