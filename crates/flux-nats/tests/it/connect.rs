//! Connecting: who gives up, who goes on, and who is let in.

use std::pin::pin;
use std::time::Duration;

use flux_core::{ErrorKind, Publisher, Result, Subscriber, next};
use flux_nats::{Credentials, Nats, NatsConfig};
use flux_nats_server::Server;

use super::{connect, server, text, within};

#[tokio::test]
async fn a_tool_fails_at_once_without_a_server() -> Result<()> {
    let server = server().await?;
    server.stop().await?;
    let error = within(connect(&server)).await.expect_err("there is no server");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert_eq!(error.operation(), Some("connect"));
    Ok(())
}

#[tokio::test]
async fn a_service_starts_before_its_server() -> Result<()> {
    let server = server().await?;
    server.stop().await?;
    let bus = Nats::connect(server.url(), NatsConfig::new().with_retry_from_start()).await?;
    let subscriber = bus.clone();
    let subscribing = tokio::spawn(async move { subscriber.subscribe("early").await });
    server.start().await?;
    let mut deliveries = within(subscribing).await.expect("no panic")?;
    bus.publish("early", text("x")).await?;
    assert_eq!(within(next(pin!(&mut deliveries))).await.expect("it lives")?.message.payload, text("x"));
    Ok(())
}

#[tokio::test]
async fn credentials_are_shown_and_wrong_ones_are_refused() -> Result<()> {
    let server = Server::builder().user("alice", "right").start().await?;
    let config = |password| NatsConfig::new().with_credentials(Credentials::user("alice", password));
    Nats::connect(server.url(), config("right")).await?.flush().await?;
    let error = Nats::connect(server.url(), config("wrong")).await.expect_err("it is wrong");
    assert_eq!(error.kind(), ErrorKind::Rejected, "{error:?}");
    assert!(!format!("{:?}", config("secret")).contains("secret"));

    let server = Server::builder().token("t0ken").start().await?;
    let config = NatsConfig::new().with_credentials(Credentials::Token("t0ken".into()));
    Nats::connect(server.url(), config).await?.flush().await.map(drop)
}

#[tokio::test]
async fn a_bus_gives_up_after_as_many_attempts_as_it_was_told() -> Result<()> {
    let server = server().await?;
    let bus = Nats::connect(server.url(), NatsConfig::new().with_max_reconnects(2)).await?;
    let mut deliveries = bus.subscribe("a").await?;
    server.kill().await?;
    assert!(within(next(pin!(&mut deliveries))).await.is_none(), "the subscription ends with the bus");
    assert_eq!(bus.flush().await.expect_err("it is closed").kind(), ErrorKind::Closed);
    Ok(())
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_without_its_password() {
    let error = Nats::connect("http://user:secret@host", NatsConfig::new()).await.expect_err("not a server's");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn the_name_and_the_inbox_are_the_ones_asked_for() -> Result<()> {
    let permissions = "authorization { users: [{ user: a, password: b, permissions: \
        { publish: [\">\"], subscribe: [\"mine.>\", \"work\"] } }] }";
    let server = Server::builder().config(permissions).start().await?;
    let config = NatsConfig::new()
        .with_credentials(Credentials::user("a", "b"))
        .with_request_timeout(Duration::from_secs(10))
        .with_inbox_prefix("mine");
    let bus = Nats::connect(server.url(), config).await?;
    let mut deliveries = bus.subscribe("work").await?;
    bus.flush().await?;
    bus.publish("work", text("x")).await?;
    assert_eq!(within(next(pin!(&mut deliveries))).await.expect("it lives")?.message.payload, text("x"));
    Ok(())
}
