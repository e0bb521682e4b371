//! Signed messages over HTTP: who is let in, and what the others are told.

use std::future::{Future, pending};
use std::time::Duration;

use bytes::Bytes;
use flux_codec::Json;
use flux_core::{ErrorKind, Message, Outcome, Publisher as _, Result, Settle as _, Subscriber, next};
use flux_http::{Http, HttpClient, HttpClientConfig, HttpServer, HttpServerConfig, serve};
use flux_webhooks::{Secret, Secrets, Webhooks};
use tokio::net::TcpListener;

async fn http() -> Result<Http> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let base = format!("http://{}", listener.local_addr().expect("bound"));
    let server = HttpServer::new(HttpServerConfig::new());
    let served = server.clone();
    tokio::spawn(async move { serve(listener, &served, pending()).await });
    Ok(Http::new(HttpClient::new(&base, HttpClientConfig::new())?, server))
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it hangs")
}

fn secrets(letter: &str) -> Result<Secrets> {
    Ok(Secrets::new(Secret::new(&format!("whsec_{}", letter.repeat(32)))?))
}

#[tokio::test]
async fn what_is_signed_arrives_and_what_is_not_is_401() -> Result<()> {
    let wire = http().await?;
    let bus = Webhooks::new(wire.clone(), secrets("A")?).typed(Json);
    let mut numbers = Box::pin(Subscriber::<u32>::subscribe(&bus, "n").await?);

    let unsigned = wire.clone();
    let stranger = Webhooks::new(wire, secrets("B")?).typed(Json);
    let refused = [
        tokio::spawn(async move { unsigned.publish("n", Bytes::from_static(b"1")).await.map(drop) }),
        tokio::spawn(async move { stranger.publish("n", 2_u32).await.map(drop) }),
    ];
    for _ in 0..2 {
        let mut error = within(next(numbers.as_mut())).await.expect("open").expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Rejected);
        assert!(error.take_undecodable().is_none(), "there is nothing to keep");
    }
    for refused in refused {
        let error = within(refused).await.expect("no panic").expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Rejected);
        assert!(error.to_string().contains("401"), "{error}");
    }

    let sending = bus.clone();
    let sent = tokio::spawn(async move { sending.send(Message::new("n", 3_u32)?).await });
    let delivery = within(next(numbers.as_mut())).await.expect("open")?;
    assert_eq!(delivery.message.payload, 3);
    assert_eq!(delivery.message.id(), delivery.message.headers.get("webhook-id"));
    assert!(delivery.message.id().is_some());
    delivery.acker.settle(Outcome::Ack).await?;
    within(sent).await.expect("no panic")?;
    Ok(())
}
