//! Subscribing: when it is live, how it ends, and what strangers send.

use std::pin::pin;

use flux_core::{ErrorKind, Publisher, QueueSubscriber, Responder, Result, Subscriber, next};
use flux_nats::{Nats, NatsConfig};
use flux_nats_server::Server;

use super::{connect, server, text, within};

#[tokio::test]
async fn a_subscription_is_live_for_other_connections() -> Result<()> {
    let server = server().await?;
    let (subscriber, publisher) = (connect(&server).await?, connect(&server).await?);
    for round in 0..50 {
        let subject = format!("live.{round}");
        let mut deliveries = subscriber.subscribe(&subject).await?;
        publisher.publish(&subject, text("x")).await?;
        let taken = within(next(pin!(&mut deliveries))).await.expect("it lives")?;
        assert_eq!(taken.message.subject, *subject.as_str());
    }
    Ok(())
}

#[tokio::test]
async fn buses_over_one_client_are_one_instance() -> Result<()> {
    let server = server().await?;
    let (one, elsewhere) = (connect(&server).await?, connect(&server).await?);
    let again = Nats::with_config(one.client().clone(), NatsConfig::new());
    assert_eq!(one.instance(), again.instance());
    assert_ne!(one.instance(), elsewhere.instance());
    Ok(())
}

#[tokio::test]
async fn a_drain_hands_over_what_had_arrived_and_ends() -> Result<()> {
    let server = server().await?;
    let bus = connect(&server).await?;
    let mut deliveries = bus.subscribe_group("work", "group").await?;
    for _ in 0..500 {
        bus.publish("work", text("x")).await?;
    }
    bus.flush().await?;
    deliveries.drain().await?;
    let mut stays = bus.subscribe_group("work", "group").await?;
    bus.publish("work", text("later")).await?;
    let mut taken = 0;
    while let Some(delivery) = within(next(pin!(&mut deliveries))).await {
        assert_eq!(delivery?.message.payload, text("x"));
        taken += 1;
    }
    assert_eq!(taken, 500);
    // The group goes on with those who stay.
    assert_eq!(within(next(pin!(&mut stays))).await.expect("it lives")?.message.payload, text("later"));
    Ok(())
}

#[tokio::test]
async fn a_subscription_survives_a_restart_of_the_server() -> Result<()> {
    let server = server().await?;
    let (bus, publisher) = (connect(&server).await?, connect(&server).await?);
    let mut deliveries = bus.subscribe("again.>").await?;
    server.kill().await?;
    server.start().await?;
    // Both connections come back by themselves; a flush fails or waits until they have.
    for bus in [&bus, &publisher] {
        within(async { while bus.flush().await.is_err() {} }).await;
    }
    publisher.publish("again.a", text("x")).await?;
    assert_eq!(within(next(pin!(&mut deliveries))).await.expect("it lives")?.message.subject, *"again.a");
    Ok(())
}

#[tokio::test]
async fn what_flux_would_not_publish_is_an_error_about_one_message() -> Result<()> {
    let server = server().await?;
    let bus = connect(&server).await?;
    let mut deliveries = bus.subscribe("odd.>").await?;
    bus.client().publish("odd.a*", "x".into()).await.expect("the server takes it");
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("X".repeat(300), "1");
    bus.client().publish_with_headers("odd.b", headers, "x".into()).await.expect("the server takes it");
    bus.publish("odd.c", text("good")).await?;
    let mut take = async || within(next(pin!(&mut deliveries))).await.expect("it goes on");
    assert_eq!(take().await.expect_err("a wildcard").kind(), ErrorKind::InvalidSubject);
    assert_eq!(take().await.expect_err("a name too long").kind(), ErrorKind::TooLarge);
    assert_eq!(take().await?.message.payload, text("good"));
    Ok(())
}

#[tokio::test]
async fn a_subscription_that_is_denied_is_an_error_and_not_silence() -> Result<()> {
    let permissions = "authorization { users: [{ user: a, password: b, permissions: \
        { publish: [\">\"], subscribe: [\"_INBOX.>\", \"open\"] } }] }";
    let server = Server::builder().config(permissions).start().await?;
    let config = NatsConfig::new().with_credentials(flux_nats::Credentials::user("a", "b"));
    let bus = Nats::connect(server.url(), config).await?;
    // The client's events take a way of their own, so the error may come after `subscribe` has returned.
    let denied = async |subscribed: Result<flux_nats::NatsDeliveries>| match subscribed {
        Err(error) => error,
        Ok(mut deliveries) => {
            let error = within(next(pin!(&mut deliveries))).await.expect("it is told").expect_err("it is denied");
            assert!(within(next(pin!(&mut deliveries))).await.is_none(), "nothing will come");
            error
        }
    };
    for error in
        [denied(bus.subscribe("secret.>").await).await, denied(bus.subscribe_group("secret.>", "members").await).await]
    {
        assert_eq!(error.kind(), ErrorKind::Rejected, "{error:?}");
        assert!(error.to_string().contains("secret.>"), "{error}");
    }
    let mut requests = match bus.listen("secret.ask").await {
        Err(error) => return (error.kind() == ErrorKind::Rejected).then_some(()).ok_or(error),
        Ok(requests) => requests,
    };
    let error = within(next(pin!(&mut requests))).await.expect("it is told").map(drop).expect_err("it is denied");
    assert_eq!(error.kind(), ErrorKind::Rejected);
    Ok(())
}
