//! Subscribing: when it is live, how it ends, and what strangers send.

use std::pin::pin;

use flux_core::{ErrorKind, Publisher, QueueSubscriber, Result, Subscriber, next};

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
