//! How the span that handles a message stands to the one that sent it.

use std::sync::LazyLock;

use flux_cloudevents::{CloudEvents, CloudEventsConfig};
use flux_codec::Json;
use flux_core::{Failure, Message, Publisher, Requester, Responder, Result, Subscriber};
use flux_http::{Http, HttpClient, HttpClientConfig, HttpServer, serve};
use flux_jetstream::{JetStream, StreamConfig};
use flux_mem::{Mem, StreamConfig as MemConfig};
use flux_nats::{Nats, NatsConfig};
use flux_nats_server::Server;
use flux_router::Router;
use flux_webhooks::{Secret, Secrets, Webhooks};
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::SpanData;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::SDK;

/// The one span of this name.
fn span(name: &str) -> SpanData {
    let mut found = SDK.spans.get_finished_spans().unwrap();
    found.retain(|span| span.name == name);
    assert_eq!(found.len(), 1, "{name}: {found:#?}");
    found.remove(0)
}

/// A sender and a handler in one trace, and whether the one is linked to the other because it has gone on.
fn assert_related(subject: &str, system: &str, has_link: bool) {
    let (sent, handled) = (span(&format!("send {subject}")), span(&format!("process {subject}")));
    assert_eq!((&sent.span_kind, &handled.span_kind), (&SpanKind::Producer, &SpanKind::Consumer), "{subject}");
    assert!(
        sent.attributes.iter().any(|pair| pair.key.as_str() == "messaging.system" && pair.value.as_str() == system)
    );
    let (its, own) = (&sent.span_context, &handled.span_context);
    assert_eq!((handled.parent_span_id, own.trace_id()), (its.span_id(), its.trace_id()), "{subject}");
    let links: Vec<_> = handled.links.iter().map(|link| link.span_context.span_id()).collect();
    let expected = if has_link { vec![its.span_id()] } else { Vec::new() };
    assert_eq!(links, expected, "{subject}");
}

/// Lets one message be handled.
async fn publish<B>(bus: B, subject: &str, system: &str, has_link: bool)
where
    B: Publisher<u32> + Subscriber<u32, Deliveries: 'static> + Clone + 'static,
{
    LazyLock::force(&SDK);
    let (handled, mut seen) = mpsc::channel(1);
    let handler = move |message: Message<u32>| {
        let handled = handled.clone();
        async move { handled.send(message.payload).await.map_err(Failure::permanent) }
    };
    let router = Router::new().route(subject, &bus, handler);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    bus.publish(subject, 7).await.unwrap();
    assert_eq!(seen.recv().await, Some(7));
    handle.stop();
    running.await.unwrap().unwrap();
    assert_related(subject, system, has_link);
}

/// Lets one request be answered.
async fn request<B>(bus: B, subject: &str, system: &str)
where
    B: Requester<u32, u32> + Responder<u32, u32, Requests: 'static> + Clone + 'static,
{
    LazyLock::force(&SDK);
    let double = async |request: Message<u32>| Ok::<_, Failure>(2 * request.payload);
    let router = Router::new().respond(subject, &bus, double);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    assert_eq!(bus.request(subject, 21).await.unwrap(), 42);
    handle.stop();
    running.await.unwrap().unwrap();
    assert_related(subject, system, false);
}

/// Both ends on a port of its own.
async fn http() -> Http {
    let server = HttpServer::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let served = server.clone();
    tokio::spawn(async move { serve(listener, &served, std::future::pending()).await });
    Http::new(HttpClient::new(&base, HttpClientConfig::new()).unwrap(), server)
}

async fn server() -> Server {
    Server::builder().with_jetstream().start().await.unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn in_process_the_sender_has_gone_on_unless_it_asked() -> Result<()> {
    publish(Mem::new(), "mem.values", "mem", true).await;
    publish(Mem::new().typed(Json), "mem.bytes", "mem", true).await;
    publish(Mem::stream(MemConfig::new("s", ["mem.stream"]))?.typed(Json), "mem.stream", "mem", true).await;
    request(Mem::new(), "mem.ask", "mem").await;
    request(Mem::new().typed(Json), "mem.ask.bytes", "mem").await;
    Ok(())
}

#[tokio::test]
async fn over_nats_the_sender_has_gone_on_unless_it_asked() -> Result<()> {
    let server = server().await;
    let nats = Nats::connect(server.url(), NatsConfig::new()).await?;
    publish(nats.clone().typed(Json), "nats.sent", "nats", true).await;
    request(nats.typed(Json), "nats.ask", "nats").await;
    let stream = JetStream::connect(server.url()).await?.stream(StreamConfig::new("s", ["jetstream.>"])).await?;
    publish(stream.typed(Json), "jetstream.sent", "nats", true).await;
    Ok(())
}

#[tokio::test]
async fn over_http_the_sender_waits() {
    publish(http().await.typed(Json), "http.sent", "http", false).await;
    request(http().await.typed(Json), "http.ask", "http").await;
}

#[tokio::test]
async fn events_and_webhooks_are_in_the_trace_of_their_sender() -> Result<()> {
    let config = || CloudEventsConfig::new("/shop");
    publish(CloudEvents::new(http().await, config()?).typed(Json), "events.http", "cloudevents", false).await;
    publish(CloudEvents::new(Mem::new(), config()?).typed(Json), "events.mem", "cloudevents", true).await;
    let secrets = Secrets::new(Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?);
    publish(Webhooks::new(http().await, secrets).typed(Json), "webhooks.http", "webhooks", false).await;
    Ok(())
}
