//! Over HTTP.

use std::future::pending;

use bytes::Bytes;
use flux_cloudevents::{CloudEvents, CloudEventsConfig, Mode};
use flux_codec::Json;
use flux_core::{Delivery, ErrorKind, Message, Outcome, Publisher as _, Result, Settle as _, Subscriber, next};
use flux_http::{Http, HttpClient, HttpClientConfig, HttpServer, HttpServerConfig, serve};
use tokio::net::TcpListener;

use crate::{Order, assert_order, order, take, text, within};

async fn http() -> Result<Http> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let base = format!("http://{}", listener.local_addr().expect("bound"));
    let server = HttpServer::new(HttpServerConfig::new());
    let served = server.clone();
    tokio::spawn(async move { serve(listener, &served, pending()).await });
    Ok(Http::new(HttpClient::new(&base, HttpClientConfig::new())?, server))
}

#[tokio::test]
async fn events_come_back_in_both_modes() -> Result<()> {
    for mode in [Mode::Binary, Mode::Structured] {
        let bus = CloudEvents::new(http().await?, CloudEventsConfig::new("/shop")?.with_mode(mode)).typed(Json);
        let mut orders = Box::pin(Subscriber::<Order>::subscribe(&bus, "orders.*").await?);
        let sending = bus.clone();
        let sent = tokio::spawn(async move { sending.send(order()?).await });
        assert_order(&take(&mut orders).await?)?;
        within(sent).await.expect("no panic")?;
    }
    Ok(())
}

#[tokio::test]
async fn on_the_wire_it_is_what_the_binding_says() -> Result<()> {
    for mode in [Mode::Binary, Mode::Structured] {
        let wire = http().await?;
        let mut plain = Box::pin(Subscriber::<Bytes>::subscribe(&wire, ">").await?);
        let bus = CloudEvents::new(wire, CloudEventsConfig::new("/shop")?.with_mode(mode)).typed(Json);
        tokio::spawn(async move { bus.send(order()?).await });
        let Message { headers, payload, .. } = take(&mut plain).await?;
        if mode == Mode::Structured {
            assert_eq!(headers.get("content-type"), Some("application/cloudevents+json"));
            assert!(!headers.contains("ce-id"));
            let event: serde_json::Value = serde_json::from_slice(&payload).expect("JSON");
            assert_eq!(
                event,
                serde_json::json!({
                    "specversion": "1.0", "id": "order 1", "source": "/shop", "type": "orders.created",
                    "subject": "größe \"7\" 100%", "tenant": "acme", "datacontenttype": "application/json", "data": {"id": 1},
                })
            );
            continue;
        }
        for (name, value) in [
            ("ce-specversion", "1.0"),
            ("ce-id", "order%201"),
            ("ce-source", "/shop"),
            ("ce-type", "orders.created"),
            ("ce-subject", "gr%C3%B6%C3%9Fe%20%227%22%20100%25"),
            ("ce-tenant", "acme"),
            ("content-type", "application/json"),
        ] {
            assert_eq!(headers.get(name), Some(value), "{name}");
        }
        assert!(!headers.contains("ce-datacontenttype"), "over HTTP that is Content-Type");
        assert_eq!(payload, r#"{"id":1}"#);
    }
    Ok(())
}

#[tokio::test]
async fn what_breaks_a_rule_is_400_and_a_batch_415() -> Result<()> {
    let wire = http().await?;
    let bus = CloudEvents::new(wire.clone(), CloudEventsConfig::new("/shop")?).typed(Json);
    let mut orders = Box::pin(Subscriber::<Order>::subscribe(&bus, "orders.*").await?);
    let binary = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];
    let mut refused = Vec::new();
    for (name, value) in
        [("ce-specversion", "0.3"), ("ce-id", "%zz"), ("ce-source", "a%20b"), ("ce-time", "noon"), ("ce-type", "")]
    {
        let mut headers: Vec<_> = binary.into_iter().filter(|(found, _)| *found != name).collect();
        headers.push((name, value));
        refused.push((headers, r#"{"id":1}"#, ErrorKind::Rejected));
    }
    refused.push((vec![], r#"{"id":1}"#, ErrorKind::Rejected));
    refused.push((vec![("content-type", "application/cloudevents+json")], r#"{"id":1}"#, ErrorKind::Rejected));
    refused.push((vec![("content-type", "application/cloudevents-batch+json")], "[]", ErrorKind::Codec));
    for (headers, body, kind) in refused {
        let mut message = Message::new("orders.created", text(body))?;
        for (name, value) in &headers {
            message.headers.append(*name, *value)?;
        }
        let sending = wire.clone();
        let sent = tokio::spawn(async move { sending.send(message).await });
        let mut error = within(next(orders.as_mut())).await.expect("one").expect_err("no event");
        assert_eq!(error.kind(), ErrorKind::Codec);
        let Delivery { message, acker, .. } = *error.take_undecodable().expect("holds it");
        assert_eq!(message.payload, body, "the bytes as they came");
        acker.settle(Outcome::term("no event")).await?;
        let told = within(sent).await.expect("no panic").expect_err("refused");
        assert_eq!(told.kind(), kind, "{headers:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_attribute_that_breaks_a_rule_is_not_sent() -> Result<()> {
    assert_eq!(CloudEventsConfig::new("a b").expect_err("no URI").kind(), ErrorKind::InvalidInput);
    let client = HttpClient::new("http://127.0.0.1:1", HttpClientConfig::new())?;
    let bus = CloudEvents::new(client, CloudEventsConfig::new("/shop")?);
    for (name, value) in [("ce-time", "noon"), ("ce-source", ""), ("ce-with-dash", "x"), ("ce-data", "x")] {
        let message = Message::new("a", Bytes::new())?.with_header(name, value)?;
        assert_eq!(within(bus.send(message)).await.expect_err(name).kind(), ErrorKind::InvalidInput);
    }
    Ok(())
}
