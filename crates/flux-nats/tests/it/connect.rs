//! Connecting: who gives up, who goes on, and who is let in.

use std::io::{Read as _, Write as _};
use std::pin::pin;
use std::time::Duration;

use flux_core::{ErrorKind, Publisher, Result, Subscriber, next};
use flux_nats::{Credentials, Nats, NatsConfig, NatsEvent};
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
async fn one_of_several_servers_is_enough_and_another_takes_its_place() -> Result<()> {
    let (first, second, third) = (server().await?, server().await?, server().await?);
    first.stop().await?;
    third.stop().await?;
    let urls = format!("{}, {},{}", first.url(), second.url(), third.url());
    let bus = within(Nats::connect(&urls, NatsConfig::new())).await?;
    let mut deliveries = bus.subscribe("a").await?;
    let mut events = bus.monitor().events();
    second.kill().await?;
    super::await_event(&mut events, |event| *event == NatsEvent::Disconnected).await;
    third.start().await?;
    super::await_event(&mut events, |event| *event == NatsEvent::Connected).await;
    bus.publish("a", text("x")).await?;
    assert_eq!(within(next(pin!(&mut deliveries))).await.expect("it lives")?.message.payload, text("x"));
    Ok(())
}

#[tokio::test]
async fn the_server_shows_the_connections_name() -> Result<()> {
    let server = Server::builder().with_monitoring().start().await?;
    let bus = Nats::connect(server.url(), NatsConfig::new().with_name("pricing, blue")).await?;
    bus.flush().await?;
    let page = || -> std::io::Result<String> {
        let address = server.monitoring_url().and_then(|url| url.strip_prefix("http://")).unwrap_or_default();
        let mut stream = std::net::TcpStream::connect(address)?;
        stream.write_all(b"GET /connz HTTP/1.0\r\n\r\n")?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        Ok(page)
    };
    let page = page().expect("the server shows its connections");
    assert!(page.contains("\"name\": \"pricing, blue\""), "{page}");
    Ok(())
}

#[tokio::test]
async fn answers_come_to_the_inbox_asked_for() -> Result<()> {
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

#[tokio::test]
async fn a_connection_attempt_ends_in_time() -> Result<()> {
    // It takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("nats://{}", silent.local_addr().expect("it is bound"));
    let started = std::time::Instant::now();
    let config = NatsConfig::new().with_connect_timeout(Duration::from_millis(200));
    let error = within(Nats::connect(&url, config)).await.expect_err("nobody answers");
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(4), "the default is 5 s; it took {:?}", started.elapsed());
    Ok(())
}

#[tokio::test]
async fn a_silent_server_is_noticed_after_two_pings() -> Result<()> {
    let server = server().await?;
    let bus = Nats::connect(server.url(), NatsConfig::new().with_ping_interval(Duration::from_millis(100))).await?;
    let mut events = bus.monitor().events();
    server.pause().await?;
    // By default it would take minutes.
    super::await_event(&mut events, |event| *event == NatsEvent::Disconnected).await;
    server.resume().await
}

#[tokio::test]
async fn no_more_is_in_flight_to_the_connection_than_allowed() -> Result<()> {
    let server = server().await?;
    let config = NatsConfig::new().with_publish_capacity(4);
    let bus = Nats::connect(server.url(), config).await?;
    // On this thread the connection does nothing while we do not wait.
    let mut taken = 0;
    while futures_util::FutureExt::now_or_never(bus.publish("a", text("x"))).is_some() {
        taken += 1;
        assert!(taken <= 4, "the default is 2,048");
    }
    assert_eq!(taken, 4);
    within(bus.publish("a", text("x"))).await.map(drop)
}
