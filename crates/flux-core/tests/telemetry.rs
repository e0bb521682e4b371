//! What an OpenTelemetry SDK gets to see: spans, their relations, and metrics.
#![cfg(feature = "telemetry")]

use std::sync::LazyLock;
use std::time::Duration;

use flux_core::telemetry::{Relation, semconv};
use flux_core::{
    Batch, Bytes, Codec, Consumer, Delivery, Error, ErrorKind, Headers, Message, Metadata, NoAck, Publisher, Result,
    SubjectFilter, Telemetry, Typed, filter, header, subject,
};
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry::trace::{SpanKind, Status, TraceContextExt as _};
use opentelemetry::{Context, KeyValue, Value, global};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData};

struct Sdk {
    spans: InMemorySpanExporter,
    metrics: InMemoryMetricExporter,
    meters: SdkMeterProvider,
}

/// One for the process, as OpenTelemetry's globals are; it samples everything, so that nothing hides from the tests.
static SDK: LazyLock<Sdk> = LazyLock::new(|| {
    let (spans, metrics) = (InMemorySpanExporter::default(), InMemoryMetricExporter::default());
    let tracers = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).with_sampler(Sampler::AlwaysOn);
    let meters = SdkMeterProvider::builder().with_reader(PeriodicReader::builder(metrics.clone()).build()).build();
    let propagators: Vec<Box<dyn TextMapPropagator + Send + Sync>> =
        vec![Box::new(TraceContextPropagator::new()), Box::new(BaggagePropagator::new())];
    global::set_text_map_propagator(TextMapCompositePropagator::new(propagators));
    global::set_tracer_provider(tracers.build());
    global::set_meter_provider(meters.clone());
    Sdk { spans, metrics, meters }
});

fn spans() -> Vec<SpanData> {
    SDK.spans.get_finished_spans().expect("in memory")
}

fn span(name: &str) -> SpanData {
    let mut found: Vec<_> = spans().into_iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "one span is called `{name}`");
    found.remove(0)
}

fn attribute(span: &SpanData, key: &str) -> Option<String> {
    span.attributes.iter().find(|found| found.key.as_str() == key).map(|found| found.value.to_string())
}

/// A wire that takes everything but what goes to `refused`, and keeps the last one's headers.
#[derive(Default)]
struct Wire(std::sync::Mutex<Headers>);

impl Publisher<Bytes> for Wire {
    type Receipt = ();

    async fn send(&self, message: Message<Bytes>) -> Result<()> {
        *self.0.lock().expect("never held") = message.headers;
        if message.subject == subject!("refused") { Err(Error::new(ErrorKind::Full, "no room")) } else { Ok(()) }
    }
}

/// A consumer that is fetched from once for each entry.
struct Fetched(std::sync::Mutex<Vec<Result<Vec<Message<Bytes>>>>>);

impl Consumer<Bytes> for Fetched {
    type Acker = NoAck;

    async fn fetch(&self, _: usize, _: Duration) -> Result<Batch<Bytes, NoAck>> {
        let next = self.0.lock().expect("never held").remove(0);
        Ok(next?.into_iter().map(|message| Ok(Delivery::new(message, Metadata::default(), NoAck))).collect())
    }
}

struct Raw;

impl Codec<Bytes> for Raw {
    fn content_type(&self) -> &'static str {
        "application/octet-stream"
    }

    fn encode(&self, value: &Bytes, buffer: &mut Vec<u8>) -> Result<()> {
        buffer.extend_from_slice(value);
        Ok(())
    }

    fn decode(&self, payload: &Bytes) -> Result<Bytes> {
        Ok(payload.clone())
    }
}

fn bus(system: &'static str) -> Typed<Wire, Raw> {
    LazyLock::force(&SDK);
    Typed::with_telemetry(Wire::default(), Raw, Telemetry::new(system))
}

/// Sends to `subject` and returns what went out beside the payload.
fn sent(telemetry: &Telemetry, subject: &'static str) -> Headers {
    LazyLock::force(&SDK);
    let mut headers = Headers::new();
    let subject = flux_core::Subject::from_static(subject);
    telemetry.send(&subject, &mut headers).finish(Ok(()));
    headers
}

#[tokio::test]
async fn sending_is_a_producer_span_whose_context_travels() -> Result<()> {
    let bus = bus("spans");
    let message = Message::to(subject!("orders.sent"), Bytes::new()).with_id("order-1")?;
    bus.send(message.with_header(header::CORRELATION_ID, "work-9")?).await?;
    let span = span("send orders.sent");
    assert_eq!((&span.span_kind, &span.status), (&SpanKind::Producer, &Status::Unset));
    for (key, value) in [
        ("messaging.system", "spans"),
        ("messaging.destination.name", "orders.sent"),
        ("messaging.operation.name", "send"),
        ("messaging.operation.type", "send"),
        ("messaging.message.id", "order-1"),
        ("messaging.message.conversation_id", "work-9"),
    ] {
        assert_eq!(attribute(&span, key).as_deref(), Some(value), "{key}");
    }
    let context = &span.span_context;
    let traceparent = format!("00-{}-{}-01", context.trace_id(), context.span_id());
    let headers = bus.wire().0.lock().expect("never held").clone();
    assert_eq!(headers.get(&header::TRACEPARENT), Some(traceparent.as_str()));
    assert_eq!(headers.get(&header::TRACESTATE), None);
    assert_eq!(span.instrumentation_scope.name(), "flux");
    Ok(())
}

#[tokio::test]
async fn a_failed_send_is_an_error_on_its_span() {
    let bus = bus("spans");
    bus.publish("refused", Bytes::new()).await.expect_err("full");
    let span = span("send refused");
    assert_eq!(attribute(&span, semconv::ERROR_TYPE).as_deref(), Some("full"));
    assert_eq!(span.status, Status::error("no room"));
}

#[tokio::test]
async fn a_fetch_is_one_span_for_all_it_brought() -> Result<()> {
    let telemetry = Telemetry::new("fetched");
    let message = |subject: &'static str| {
        let headers = sent(&telemetry, subject);
        Message { subject: flux_core::Subject::from_static(subject), headers, payload: Bytes::new() }
    };
    let same = vec![message("fetched.same"), message("fetched.same")];
    let script = vec![
        Ok(Vec::new()),
        Ok(same),
        Ok(vec![message("fetched.one"), message("fetched.other")]),
        Err(Error::new(ErrorKind::Unavailable, "gone")),
    ];
    let senders = spans().into_iter().filter(|span| span.name == "send fetched.same");
    let mut senders: Vec<_> = senders.map(|span| span.span_context.span_id()).collect();
    let consumer = Typed::with_telemetry(Fetched(script.into()), Raw, telemetry.clone());
    let fetch = async || -> Result<Batch<Bytes, _>> { consumer.fetch(9, Duration::ZERO).await };
    for count in [0, 2, 2] {
        assert_eq!(fetch().await?.len(), count);
    }
    assert_eq!(fetch().await.map(drop).expect_err("gone").kind(), ErrorKind::Unavailable);
    let same = span("receive fetched.same");
    assert_eq!(same.span_kind, SpanKind::Client);
    assert_eq!(attribute(&same, semconv::BATCH_MESSAGE_COUNT).as_deref(), Some("2"));
    assert_eq!(attribute(&same, semconv::DESTINATION_NAME).as_deref(), Some("fetched.same"));
    let mut links: Vec<_> = same.links.iter().map(|link| link.span_context.span_id()).collect();
    links.sort_by_key(ToString::to_string);
    senders.sort_by_key(ToString::to_string);
    assert_eq!(links, senders);
    let [mixed, failed] = &spans().into_iter().filter(|span| span.name == "receive").collect::<Vec<_>>()[..] else {
        panic!("two fetches without a destination, and none for the one that brought nothing")
    };
    assert_eq!((mixed.links.len(), attribute(mixed, semconv::DESTINATION_NAME)), (2, None));
    assert_eq!(failed.status, Status::error("gone"));
    let all = exported();
    let mut counted = points(all.last().expect("flushed"), semconv::CONSUMED_MESSAGES, "fetched");
    counted.sort();
    assert_eq!(counted, [("receive".into(), None, 4), ("receive".into(), Some("unavailable".into()), 0)]);
    Ok(())
}

#[test]
fn a_handler_goes_on_with_its_senders_trace_and_is_linked_to_a_sender_that_went_on() {
    let transport = Telemetry::new("relations");
    let route = Telemetry::for_route(filter!("relation.*"));
    for (subject, relation) in [("relation.link", Relation::Link), ("relation.child", Relation::Child)] {
        let headers = sent(&transport, subject);
        let sender = span(&format!("send {subject}"));
        let subject = flux_core::Subject::from_static(subject);
        route.process(&subject, &headers, relation).1.finish(None);
        let handled = spans().into_iter().rfind(|span| span.name == "process relation.*").expect("was handled");
        assert_eq!(handled.span_kind, SpanKind::Consumer);
        assert_eq!(attribute(&handled, semconv::DESTINATION_TEMPLATE).as_deref(), Some("relation.*"));
        assert_eq!(attribute(&handled, semconv::DESTINATION_NAME).as_deref(), Some(subject.as_str()));
        let (own, its) = (&handled.span_context, &sender.span_context);
        assert_eq!((handled.parent_span_id, own.trace_id()), (its.span_id(), its.trace_id()), "one trace");
        let links: Vec<_> = handled.links.iter().map(|link| &link.span_context).collect();
        match relation {
            Relation::Link => {
                assert!(matches!(links[..], [link] if link.span_id() == its.span_id() && link.is_remote()));
            }
            Relation::Child => assert!(links.is_empty()),
        }
    }
}

#[test]
fn a_message_without_a_context_starts_a_trace() {
    LazyLock::force(&SDK);
    Telemetry::new("rootless").process(&subject!("rootless.in"), &Headers::new(), Relation::Link).1.finish(None);
    assert_eq!(span("process rootless.in").parent_span_id, opentelemetry::trace::SpanId::INVALID);
}

#[tokio::test]
async fn what_a_handler_sends_is_its_child_also_after_an_await() {
    let bus = bus("nesting");
    let route = Telemetry::for_route(SubjectFilter::from_static("nesting.in"));
    let (scope, processing) = route.process(&subject!("nesting.in"), &Headers::new(), Relation::Link);
    let handler = async {
        tokio::task::yield_now().await;
        bus.publish("nesting.out", Bytes::new()).await
    };
    scope.run(handler).await.expect("taken");
    processing.finish(Some(("retry", &"try again")));
    let (handled, sent) = (span("process nesting.in"), span("send nesting.out"));
    assert_eq!(sent.parent_span_id, handled.span_context.span_id());
    assert_eq!(handled.status, Status::error("try again"));
    assert_eq!(attribute(&handled, semconv::ERROR_TYPE).as_deref(), Some("retry"));
    assert!(!Context::current().span().span_context().is_valid(), "nothing is left on the thread");
}

#[tokio::test]
async fn a_handlers_span_takes_the_place_of_its_senders_and_the_rest_travels_on() -> Result<()> {
    let bus = bus("place");
    let mut headers = Headers::new();
    for (name, value) in [
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("tracestate", "vendor=1"),
        ("baggage", "tenant=7"),
        ("X-Correlation-ID", "work-9"),
    ] {
        headers.insert(name, value)?;
    }
    let route = Telemetry::new("place");
    let (scope, processing) = route.process(&subject!("place.in"), &headers, Relation::Link);
    scope.run(bus.publish("place.out", Bytes::new())).await?;
    processing.finish(None);
    let (handled, sent) = (span("process place.in"), span("send place.out"));
    assert_eq!(sent.parent_span_id, handled.span_context.span_id());
    let traceparent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", sent.span_context.span_id());
    let headers = bus.wire().0.lock().expect("never held").clone();
    let sent = [header::TRACEPARENT, header::TRACESTATE, header::BAGGAGE, header::CORRELATION_ID];
    let sent = sent.map(|name| headers.get(&name).map(str::to_owned));
    let expected = [traceparent.as_str(), "vendor=1", "tenant=7", "work-9"];
    assert_eq!(sent, expected.map(|value| Some(value.to_owned())));
    Ok(())
}

#[test]
fn the_baggage_of_the_context_travels() {
    LazyLock::force(&SDK);
    let _attached = Context::current_with_baggage([KeyValue::new("tenant", "acme")]).attach();
    let headers = sent(&Telemetry::new("baggage"), "baggage.out");
    assert_eq!(headers.get(&header::BAGGAGE), Some("tenant=acme"));
    let sender = span("send baggage.out").span_context;
    let traceparent = format!("00-{}-{}-01", sender.trace_id(), sender.span_id());
    assert_eq!(headers.get(&header::TRACEPARENT), Some(traceparent.as_str()));
}

#[test]
fn finding_out_whether_there_is_an_sdk_leaves_nothing_behind() {
    sent(&Telemetry::new("probed"), "probed");
    let names: Vec<_> = spans().into_iter().map(|span| span.name).collect();
    assert!(names.iter().any(|name| name == "send probed"), "the SDK was found");
    let is_own = |name: &str| ["send", "process", "receive"].contains(&name.split(' ').next().unwrap_or_default());
    assert!(names.iter().all(|name| is_own(name)), "{names:?}");
    assert!(exported().iter().flat_map(names_of).all(|name| name.starts_with("messaging.")), "no probe");
}

#[test]
fn metrics_go_by_the_names_of_the_conventions() {
    let telemetry = Telemetry::new("metered");
    sent(&telemetry, "metered.one");
    let mut headers = Headers::new();
    let full = Error::new(ErrorKind::Full, "");
    telemetry.send(&subject!("metered.two"), &mut headers).finish::<()>(Err(&full));
    telemetry.process(&subject!("metered.one"), &headers, Relation::Link).1.finish(None);
    let all = exported();
    let last = all.last().expect("flushed");
    for (name, counts) in [
        ("messaging.client.sent.messages", &[("send", None, 1), ("send", Some("full"), 1)][..]),
        ("messaging.client.operation.duration", &[("send", None, 1), ("send", Some("full"), 1)]),
        ("messaging.client.consumed.messages", &[("process", None, 1)]),
        ("messaging.process.duration", &[("process", None, 1)]),
    ] {
        let mut found = points(last, name, "metered");
        found.sort();
        let expected: Vec<_> = counts.iter().map(|&(op, error, n)| (op.into(), error.map(Into::into), n)).collect();
        assert_eq!(found, expected, "{name}");
    }
}

fn exported() -> Vec<ResourceMetrics> {
    SDK.meters.force_flush().expect("in memory");
    SDK.metrics.get_finished_metrics().expect("in memory")
}

fn names_of(metrics: &ResourceMetrics) -> Vec<String> {
    metrics.scope_metrics().flat_map(|scope| scope.metrics().map(|metric| metric.name().to_owned())).collect()
}

/// Operation, error and count of each series of one system.
fn points(metrics: &ResourceMetrics, name: &str, system: &str) -> Vec<(String, Option<String>, u64)> {
    let mut found = Vec::new();
    let mut keep = |attributes: Vec<(&str, &Value)>, count: u64| {
        let get = |key: &str| attributes.iter().find(|(found, _)| *found == key).map(|(_, value)| value.to_string());
        if get(semconv::SYSTEM).as_deref() == Some(system) {
            found.push((get(semconv::OPERATION_NAME).unwrap_or_default(), get(semconv::ERROR_TYPE), count));
        }
    };
    for metric in metrics.scope_metrics().flat_map(ScopeMetrics::metrics).filter(|metric| metric.name() == name) {
        match metric.data() {
            AggregatedMetrics::U64(MetricData::Sum(sum)) => {
                sum.data_points().for_each(|point| {
                    keep(point.attributes().map(|pair| (pair.key.as_str(), &pair.value)).collect(), point.value());
                });
            }
            AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
                histogram.data_points().for_each(|point| {
                    keep(point.attributes().map(|pair| (pair.key.as_str(), &pair.value)).collect(), point.count());
                });
            }
            other => panic!("`{name}` is {other:?}"),
        }
    }
    found
}
