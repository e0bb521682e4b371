//! Spans, metrics and trace propagation through the OpenTelemetry API.

mod detect;
mod instruments;
mod propagation;
mod receive;
pub mod semconv;
mod trace_context;
mod w3c;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use opentelemetry::global::{BoxedSpan, BoxedTracer};
use opentelemetry::trace::{Span as _, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};

use crate::{Error, Headers, Scope, Subject, SubjectFilter, header};
pub use detect::{meter, tracer};
use instruments::Instruments;
use propagation::unsampled;
pub use propagation::{Propagation, set_propagation};
pub use receive::Receiving;
pub(crate) use trace_context::Attached;
pub use trace_context::TraceContext;
use w3c::Injection;

/// The telemetry of one transport or route: spans and metrics in OpenTelemetry's messaging conventions.
///
/// Reports through OpenTelemetry's globals as they are when the first message passes. While no SDK is installed then, it
/// costs a branch and allocates nothing; so install the SDK before the first message.
pub struct Telemetry {
    inner: Arc<Inner>,
    /// Set once it is known that there is nothing to report to. Here and not in `inner`, so that a message which nobody
    /// observes follows no pointer.
    is_silent: AtomicBool,
}

struct Inner {
    system: &'static str,
    /// The filter of a route; its spans and metrics are named by it, because subjects are without number.
    template: Option<SubjectFilter>,
    installed: OnceLock<Option<Installed>>,
}

#[derive(Debug)]
struct Installed {
    tracing: Option<Tracing>,
    instruments: Option<Instruments>,
}

#[derive(Debug)]
struct Tracing {
    tracer: BoxedTracer,
    injection: Injection,
}

/// How the span that handles a message stands to the span that sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The sender waits for the answer: the span is the sender's child.
    Child,
    /// The sender has gone on: the span is linked to the sender's, and goes on with its trace.
    Link,
}

impl Telemetry {
    /// For a transport that calls itself `system`: `nats`, `http`, `mem`.
    #[must_use]
    pub fn new(system: &'static str) -> Self {
        Self::with(system, None)
    }

    /// For a route with this filter, on any transport.
    #[must_use]
    pub fn for_route(template: SubjectFilter) -> Self {
        Self::with("flux", Some(template))
    }

    fn with(system: &'static str, template: Option<SubjectFilter>) -> Self {
        let inner = Inner { system, template, installed: OnceLock::new() };
        Self { inner: Arc::new(inner), is_silent: AtomicBool::new(false) }
    }

    /// Begins to send a message: adds what the current [`Scope`] passes on, starts a span, and puts its context into the
    /// headers.
    #[inline]
    pub fn send(&self, subject: &Subject, headers: &mut Headers) -> Sending<'_> {
        Scope::stamp(headers);
        if self.is_silent() { Sending(None) } else { self.send_observed(subject, headers) }
    }

    #[inline(never)]
    fn send_observed(&self, subject: &Subject, headers: &mut Headers) -> Sending<'_> {
        Sending(self.installed().and_then(|installed| {
            let tracing = installed.tracing.as_ref();
            installed.observe(tracing.and_then(|tracing| self.start_send(tracing, subject, headers)))
        }))
    }

    /// Begins to handle a message: starts a span that stands in `relation` to the sender's. The returned scope is the one
    /// to run the handler in.
    #[inline]
    pub fn process(&self, subject: &Subject, headers: &Headers, relation: Relation) -> (Scope, Processing<'_>) {
        if self.is_silent() {
            (Self::scope(headers, relation), Processing(None))
        } else {
            self.process_observed(subject, headers, relation)
        }
    }

    #[inline(never)]
    fn process_observed(&self, subject: &Subject, headers: &Headers, relation: Relation) -> (Scope, Processing<'_>) {
        let Some(installed) = self.installed() else {
            return (Self::scope(headers, relation), Processing(None));
        };
        let tracing = installed.tracing.as_ref();
        let context = tracing.map(|tracing| self.start_process(tracing, subject, headers, relation));
        let scope = match &context {
            Some(context) if relation == Relation::Child => {
                Scope::in_span(headers, context.clone().into()).until_deadline(headers)
            }
            Some(context) => Scope::in_span(headers, context.clone().into()),
            None => Self::scope(headers, relation),
        };
        (scope, Processing(installed.observe(context.filter(|context| context.span().is_recording()))))
    }

    #[inline]
    fn scope(headers: &Headers, relation: Relation) -> Scope {
        let scope = Scope::of(headers);
        if relation == Relation::Child { scope.until_deadline(headers) } else { scope }
    }

    /// Whether it is known that there is no SDK. One load of what never changes back, so it needs no order.
    #[inline]
    fn is_silent(&self) -> bool {
        self.is_silent.load(Ordering::Relaxed)
    }

    /// What there is to report to; `None` without an SDK.
    fn installed(&self) -> Option<&Installed> {
        let installed = self.inner.installed.get_or_init(|| self.detect()).as_ref();
        if installed.is_none() {
            self.is_silent.store(true, Ordering::Relaxed);
        }
        installed
    }

    #[cold]
    fn detect(&self) -> Option<Installed> {
        let tracing = tracer().map(|tracer| Tracing { tracer, injection: Injection::of_process() });
        let instruments =
            meter().map(|meter| Instruments::new(&meter, self.inner.system, self.inner.template.as_ref()));
        (tracing.is_some() || instruments.is_some()).then_some(Installed { tracing, instruments })
    }

    /// The span, if it is recorded. Names and attributes are made for those alone: of a hundred, often one.
    fn start_send(&self, tracing: &Tracing, subject: &Subject, headers: &mut Headers) -> Option<BoxedSpan> {
        let Tracing { tracer, injection } = tracing;
        let context = Context::current();
        let builder = tracer.span_builder("send").with_kind(SpanKind::Producer);
        let mut span = tracer.build_with_context(builder, &context);
        let is_recording = span.is_recording();
        if is_recording {
            span.update_name(format!("send {subject}"));
            span.set_attributes(self.attributes(subject, "send", headers));
        }
        injection.inject(&context, span.span_context(), headers);
        is_recording.then_some(span)
    }

    /// The context to handle a message in.
    fn start_process(&self, tracing: &Tracing, subject: &Subject, headers: &Headers, relation: Relation) -> Context {
        let Tracing { tracer, injection } = tracing;
        let sender = w3c::extract(headers);
        // One message has one sender, so the span can be in its trace (docs/decisions/0012): a trace stays whole, and is
        // recorded as a whole or not at all.
        let parent = match &sender {
            Some(sender) => Context::new().with_remote_span_context(sender.clone()),
            None if injection.omits_unsampled() => return Context::new().with_remote_span_context(unsampled()),
            None => Context::new(),
        };
        let builder = tracer.span_builder("process").with_kind(SpanKind::Consumer);
        let mut span = tracer.build_with_context(builder, &parent);
        if span.is_recording() {
            if let Some(sender) = sender.filter(|_| relation == Relation::Link) {
                span.add_link(sender, Vec::new());
            }
            span.update_name(match &self.inner.template {
                Some(template) => format!("process {template}"),
                None => format!("process {subject}"),
            });
            span.set_attributes(self.attributes(subject, "process", headers));
        }
        parent.with_span(span)
    }

    fn attributes(&self, subject: &Subject, operation: &'static str, headers: &Headers) -> Vec<KeyValue> {
        let mut attributes = vec![
            KeyValue::new(semconv::SYSTEM, self.inner.system),
            KeyValue::new(semconv::DESTINATION_NAME, subject.to_string()),
            KeyValue::new(semconv::OPERATION_NAME, operation),
            KeyValue::new(semconv::OPERATION_TYPE, operation),
        ];
        if let Some(template) = &self.inner.template {
            attributes.push(KeyValue::new(semconv::DESTINATION_TEMPLATE, template.to_string()));
        }
        let ids = [(semconv::MESSAGE_ID, header::MESSAGE_ID), (semconv::CONVERSATION_ID, header::CORRELATION_ID)];
        for (key, name) in ids {
            if let Some(id) = headers.get(&name) {
                attributes.push(KeyValue::new(key, id.to_owned()));
            }
        }
        attributes
    }
}

impl Clone for Telemetry {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), is_silent: AtomicBool::new(self.is_silent()) }
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry")
            .field("system", &self.inner.system)
            .field("template", &self.inner.template)
            .finish_non_exhaustive()
    }
}

impl Installed {
    /// What is to be reported when the message is done, if anything is: of a span, only one that is recorded.
    fn observe<S>(&self, span: Option<S>) -> Option<Box<Observed<'_, S>>> {
        let is_reported = span.is_some() || self.instruments.is_some();
        is_reported.then(|| Box::new(Observed { installed: self, span, started: Instant::now() }))
    }
}

/// A span that is recorded, and a stopwatch. In a box, so that a message nobody observes carries a pointer to nothing.
#[derive(Debug)]
struct Observed<'t, S> {
    installed: &'t Installed,
    span: Option<S>,
    started: Instant,
}

/// A message that is being sent. Dropped unfinished, it ends its span as it is.
#[derive(Debug)]
#[must_use = "call `finish` with the result"]
pub struct Sending<'t>(Option<Box<Observed<'t, BoxedSpan>>>);

impl Sending<'_> {
    /// Ends the span and records the metrics.
    #[inline]
    pub fn finish<R>(self, result: Result<R, &Error>) {
        if let Some(observed) = self.0 {
            observed.sent(result.err());
        }
    }
}

/// A message that is being handled. Dropped unfinished, it ends its span as it is.
#[derive(Debug)]
#[must_use = "call `finish` with the result"]
pub struct Processing<'t>(Option<Box<Observed<'t, Context>>>);

impl Processing<'_> {
    /// Ends the span and records the metrics. `failure` is the class of the failure and its text, made only when asked for.
    #[inline]
    pub fn finish(self, failure: Option<(&'static str, &dyn fmt::Display)>) {
        if let Some(observed) = self.0 {
            observed.processed(failure);
        }
    }
}

impl Observed<'_, BoxedSpan> {
    fn sent(mut self, error: Option<&Error>) {
        if let Some(span) = &mut self.span {
            if let Some(error) = error {
                span.set_attribute(KeyValue::new(semconv::ERROR_TYPE, error_type(error)));
                span.set_status(Status::error(error.to_string()));
            }
            span.end();
        }
        if let Some(instruments) = &self.installed.instruments {
            instruments.sent(self.started.elapsed(), error.map(error_type));
        }
    }
}

impl Observed<'_, Context> {
    fn processed(&self, failure: Option<(&'static str, &dyn fmt::Display)>) {
        if let Some(context) = &self.span {
            let span = context.span();
            if let Some((class, text)) = failure {
                span.set_attribute(KeyValue::new(semconv::ERROR_TYPE, class));
                span.set_status(Status::error(text.to_string()));
            }
            span.end();
        }
        if let Some(instruments) = &self.installed.instruments {
            instruments.processed(self.started.elapsed(), failure.map(|(class, _)| class));
        }
    }
}

fn error_type(error: &Error) -> &'static str {
    error.kind().as_str()
}
