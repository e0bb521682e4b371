//! Publishing: sizes, headers on the wire, and what a flush means.

use bytes::Bytes;
use flux_codec::{Json, Text};
use flux_core::{ErrorKind, Message, Publisher, Result, Subscriber, header, next};
use flux_nats::{Buffered, Nats, NatsConfig};
use flux_nats_server::Server;
use futures_util::{FutureExt, StreamExt};

use super::{connect, server, text, within};

#[tokio::test]
async fn what_is_too_large_is_refused_with_both_numbers_before_it_is_sent() -> Result<()> {
    let server = Server::builder().max_payload(1000).start().await?;
    let bus = connect(&server).await?;
    let mut deliveries = bus.subscribe("size").await?;
    let message = Message::new("size", Bytes::from(vec![0; 990]))?.with_header("X-Tag", "1")?;
    // Headers count: 12 bytes around them, 10 for the line.
    let error = bus.send(message).await.expect_err("1012 bytes are over 1000");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("1012") && error.to_string().contains("1000"), "{error}");
    assert!(!error.is_retryable());

    // What fits exactly is taken, by the server as well, and the connection has not been closed on us.
    let message = Message::new("size", Bytes::from(vec![1; 978]))?.with_header("X-Tag", "1")?;
    let Buffered { .. } = bus.send(message).await?;
    let taken = within(next(std::pin::pin!(&mut deliveries))).await.expect("it lives")?;
    assert_eq!(taken.message.payload.len(), 978);
    assert_eq!(bus.monitor().counters().disconnected, 0);
    Ok(())
}

#[tokio::test]
async fn a_flush_returns_when_the_server_has_it_all() -> Result<()> {
    let server = server().await?;
    let (bus, other) = (connect(&server).await?, connect(&server).await?);
    let mut native = other.client().subscribe("flushed").await.expect("connected");
    other.flush().await?;
    for _ in 0..100 {
        bus.publish("flushed", text("x")).await?;
    }
    bus.flush().await?;
    // The server works in order: what it had before our flush, it delivers before it answers the other's.
    other.flush().await?;
    let mut arrived = 0;
    while let Some(Some(_)) = native.next().now_or_never() {
        arrived += 1;
    }
    assert_eq!(arrived, 100);
    Ok(())
}

#[tokio::test]
async fn somebody_who_listens_to_everything_holds_up_neither_flush_nor_subscription() -> Result<()> {
    let server = server().await?;
    let listening = connect(&server).await?;
    let mut all = Box::pin(listening.subscribe(">").await?);
    let config = NatsConfig::new().with_request_timeout(std::time::Duration::from_secs(5));
    let bus = Nats::connect(server.url(), config).await?;
    let started = std::time::Instant::now();
    for _ in 0..20 {
        bus.flush().await?;
        drop(bus.subscribe("other").await?);
    }
    // Each would give up after a second.
    assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
    bus.publish("told", text("x")).await?;
    while within(next(all.as_mut())).await.expect("it lives")?.message.subject != "told" {}
    Ok(())
}

#[tokio::test]
async fn a_client_that_does_not_hear_itself_can_flush() -> Result<()> {
    let server = server().await?;
    let client = async_nats::ConnectOptions::new().no_echo().connect(server.url()).await.expect("it is there");
    within(Nats::new(client).flush()).await.map(drop)
}

#[tokio::test]
async fn a_flush_without_a_server_says_so() -> Result<()> {
    let server = server().await?;
    let config = NatsConfig::new().with_request_timeout(std::time::Duration::from_millis(200));
    let bus = Nats::connect(server.url(), config).await?;
    let mut events = bus.monitor().events();
    server.kill().await?;
    super::await_event(&mut events, |event| *event == flux_nats::NatsEvent::Disconnected).await;
    let error = within(bus.flush()).await.expect_err("there is no server");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.is_retryable());
    Ok(())
}

#[tokio::test]
async fn a_closed_bus_says_so() -> Result<()> {
    let server = server().await?;
    let bus = connect(&server).await?;
    let mut deliveries = bus.subscribe("a").await?;
    bus.close().await?;
    assert!(within(next(std::pin::pin!(&mut deliveries))).await.is_none());
    let error = bus.publish("a", text("x")).await.expect_err("it is closed");
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert_eq!(bus.subscribe("a").await.expect_err("it is closed").kind(), ErrorKind::Closed);
    Ok(())
}

#[tokio::test]
async fn headers_are_what_other_clients_expect() -> Result<()> {
    let server = server().await?;
    let bus = connect(&server).await?.typed(Json);
    let mut native = bus.wire().client().subscribe("out").await.expect("connected");
    bus.send(Message::new("out", 7)?.with_id("order-1")?.with_header("x-Odd-Case", "1")?).await?;
    let found = within(native.next()).await.expect("it was sent");
    let headers = found.headers.expect("it has some");
    let get = |name: &str| headers.get(name).map(|value| value.as_str().to_owned());
    assert_eq!(get("Content-Type"), None, "JSON goes without saying");
    assert_eq!(get("X-Message-ID").as_deref(), Some("order-1"));
    assert_eq!(get("x-Odd-Case").as_deref(), Some("1"));
    assert_eq!(get("X-Odd-Case"), None);
    assert_eq!(found.payload, text("7"));

    Ok(())
}

#[tokio::test]
async fn only_json_goes_without_saying() -> Result<()> {
    const JSON: &str = "application/json";
    let server = server().await?;
    let bus = connect(&server).await?;
    let mut native = bus.client().subscribe("out").await.expect("connected");
    let mut content_type = async || {
        let headers = within(native.next()).await.expect("it was sent").headers?;
        headers.get("Content-Type").map(|value| value.as_str().to_owned())
    };
    let typed = bus.clone().typed(Json);
    typed.publish("out", 1).await?;
    assert_eq!(content_type().await, None);
    typed.send(Message::new("out", 2)?.with_id("order-2")?).await?;
    assert_eq!(content_type().await, None, "also beside other headers");
    typed.send(Message::new("out", 3)?.with_header(header::CONTENT_TYPE, JSON)?).await?;
    assert_eq!(content_type().await.as_deref(), Some(JSON), "its publisher said so by name");
    // Twice, because the bus remembers the headers of such messages.
    for payload in ["4", "5"] {
        bus.clone().typed(Text).publish("out", payload.to_owned()).await?;
        assert_eq!(content_type().await.as_deref(), Some("text/plain; charset=utf-8"));
    }
    bus.clone().typed(Text).send(Message::new("out", "5".to_owned())?.with_id("order-5")?).await?;
    assert_eq!(content_type().await.as_deref(), Some("text/plain; charset=utf-8"));
    typed.publish("out", 6).await?;
    assert_eq!(content_type().await, None);

    let loud = Nats::with_config(bus.client().clone(), NatsConfig::new().with_json_content_type()).typed(Json);
    for number in [7, 8] {
        loud.publish("out", number).await?;
        assert_eq!(content_type().await.as_deref(), Some(JSON));
    }
    Ok(())
}
