//! What breaks is rebuilt, reported, and goes on where it was.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use flux_core::{ErrorKind, Message, Publisher as _, next};
use flux_jetstream::{ConsumerConfig, Event, Events, JetStream, JsStream};
use flux_nats::Nats;
use flux_nats_server::Server;
use futures_util::FutureExt as _;

use crate::{config, listen, put, stream, take, text};

async fn event(events: &mut Events) -> Event {
    let event = tokio::time::timeout(Duration::from_secs(60), next(Pin::new(events)));
    event.await.expect("nothing is told").unwrap()
}

async fn alone() -> (Server, JsStream) {
    let server = Server::builder().with_jetstream().start().await.unwrap();
    let nats = Nats::new(async_nats::connect(server.url()).await.unwrap());
    let stream = JetStream::new(nats).stream(config()).await.unwrap();
    (server, stream)
}

/// Takes 1, 2 and 3, leaves 2 unsettled, has the consumer deleted, and takes what comes then.
async fn goes_on_after_deletion(stream: JsStream, config: ConsumerConfig) {
    let consumer = stream.consumer(config).await.unwrap();
    let mut events = stream.jetstream().events();
    let mut deliveries = listen(&consumer).await;
    for number in ["1", "2", "3"] {
        put(&stream, "orders.a", number).await.unwrap();
    }
    for number in ["1", "2", "3"] {
        let taken = take(&mut deliveries).await;
        assert_eq!(text(&taken), number);
        if number != "2" {
            taken.acker.ack_confirmed().await.unwrap();
        }
    }
    assert!(stream.delete_consumer(&consumer.name()).await.unwrap());
    put(&stream, "orders.a", "4").await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let taken = take(&mut deliveries).await;
        seen.push(text(&taken));
        taken.ack().await.unwrap();
    }
    assert_eq!(seen, ["2", "3", "4"], "from the oldest that was not settled");
    assert!(matches!(event(&mut events).await, Event::Lost { .. }));
    assert!(matches!(event(&mut events).await, Event::Rebuilt { recreated: true, .. }));
}

#[tokio::test]
async fn a_deletion_is_noticed_at_once_by_a_subscription_at_rest() {
    let stream = stream().await;
    let mut events = stream.jetstream().events();
    let mut deliveries = listen(&stream.consumer(ConsumerConfig::durable("d")).await.unwrap()).await;
    put(&stream, "orders.a", "1").await.unwrap();
    take(&mut deliveries).await.acker.ack_confirmed().await.unwrap();
    let breaks = async {
        stream.delete_consumer("d").await.unwrap();
        let lost = event(&mut events).await;
        put(&stream, "orders.a", "2").await.unwrap();
        lost
    };
    let (taken, lost) = futures_util::future::join(take(&mut deliveries), breaks).await;
    assert_eq!(text(&taken), "2");
    assert!(matches!(&lost, Event::Lost { .. }), "{lost:?}");
}

#[tokio::test]
async fn a_durable_consumer_that_was_deleted_is_made_anew() {
    goes_on_after_deletion(stream().await, ConsumerConfig::durable("d")).await;
}

#[tokio::test]
async fn what_another_member_has_not_settled_is_not_skipped() {
    let stream = stream().await;
    let member = async || stream.consumer(ConsumerConfig::durable("d")).await.unwrap();
    let (mut one, mut other) = (listen(&member().await).await, listen(&member().await).await);
    for number in ["1", "2", "3"] {
        put(&stream, "orders.a", number).await.unwrap();
    }
    let unsettled = take(&mut one).await;
    assert_eq!(text(&unsettled), "1");
    for number in ["2", "3"] {
        let taken = take(&mut other).await;
        assert_eq!(text(&taken), number);
        taken.acker.ack_confirmed().await.unwrap();
    }
    assert!(stream.delete_consumer("d").await.unwrap());
    put(&stream, "orders.a", "4").await.unwrap();
    // Only the other one is polled, so it is the one that makes the consumer anew.
    let mut seen = Vec::new();
    while seen.last().is_none_or(|last| last != "4") {
        let taken = take(&mut other).await;
        seen.push(text(&taken));
        taken.ack().await.unwrap();
    }
    assert_eq!(seen.first().map(String::as_str), Some("1"), "{seen:?}");
}

#[tokio::test]
async fn an_ephemeral_consumer_that_was_deleted_is_made_anew() {
    goes_on_after_deletion(stream().await, ConsumerConfig::ephemeral()).await;
}

#[tokio::test]
async fn a_subscription_ends_with_an_error_when_its_stream_is_deleted() {
    let stream = stream().await;
    let mut deliveries = listen(&stream.consumer(ConsumerConfig::durable("d")).await.unwrap()).await;
    put(&stream, "orders.a", "1").await.unwrap();
    take(&mut deliveries).await.ack().await.unwrap();
    let deletes = async { stream.jetstream().delete_stream("orders").await.unwrap() };
    let (ended, _) = futures_util::future::join(next(Pin::new(&mut deliveries)), deletes).await;
    let error = ended.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(next(Pin::new(&mut deliveries)).await.is_none());
}

#[tokio::test]
async fn a_restart_of_the_server_is_survived() {
    let (server, stream) = alone().await;
    let mut durable = listen(&stream.consumer(ConsumerConfig::durable("d")).await.unwrap()).await;
    let mut ephemeral = listen(&stream.consumer(ConsumerConfig::ephemeral()).await.unwrap()).await;
    for number in ["1", "2"] {
        put(&stream, "orders.a", number).await.unwrap();
    }
    for deliveries in [&mut durable, &mut ephemeral] {
        take(deliveries).await.acker.ack_confirmed().await.unwrap();
    }
    server.kill().await.unwrap();
    server.start().await.unwrap();
    let publishes = async {
        // With an id, the message is sent again until the stream is back.
        let message = Message::new("orders.a", Bytes::from_static(b"3")).unwrap().with_id("3").unwrap();
        stream.send(message).await.unwrap()
    };
    let takes = async {
        for deliveries in [&mut durable, &mut ephemeral] {
            for number in ["2", "3"] {
                loop {
                    let taken = take(deliveries).await;
                    // What the server had not written when it was killed may come again.
                    let found = text(&taken);
                    taken.ack().await.unwrap();
                    if found == number {
                        break;
                    }
                    assert!(found.as_str() < number, "{found} instead of {number}");
                }
            }
        }
    };
    futures_util::future::join(publishes, takes).await;
}

#[tokio::test]
async fn a_restart_of_the_server_is_told_for_each_subscription_that_waits() {
    let (server, stream) = alone().await;
    let mut events = stream.jetstream().events();
    let durable = stream.consumer(ConsumerConfig::durable("d")).await.unwrap();
    let ephemeral = stream.consumer(ConsumerConfig::ephemeral()).await.unwrap();
    let names = BTreeSet::from([durable.name(), ephemeral.name()]);
    let (mut one, mut two) = (listen(&durable).await, listen(&ephemeral).await);
    // Each has asked before the server goes, and asks nothing more until it notices.
    assert!(take(&mut one).now_or_never().is_none());
    assert!(take(&mut two).now_or_never().is_none());
    stream.jetstream().nats().flush().await.unwrap();
    server.kill().await.unwrap();
    server.start().await.unwrap();
    let publishes = async {
        let message = Message::new("orders.a", Bytes::from_static(b"1")).unwrap().with_id("1").unwrap();
        stream.send(message).await.unwrap()
    };
    let both = futures_util::future::join3(publishes, take(&mut one), take(&mut two));
    let (_, one, two) = tokio::time::timeout(Duration::from_secs(60), both).await.unwrap();
    assert_eq!((text(&one).as_str(), text(&two).as_str()), ("1", "1"));
    let (mut lost, mut rebuilt) = (BTreeSet::new(), 0);
    while rebuilt < 2 {
        match event(&mut events).await {
            Event::Lost { consumer, .. } => {
                lost.insert(consumer);
            }
            Event::Rebuilt { .. } => rebuilt += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(lost, names);
}

#[tokio::test]
async fn missing_heartbeats_are_noticed() {
    let (server, stream) = alone().await;
    let mut events = stream.jetstream().events();
    let mut deliveries = listen(&stream.consumer(ConsumerConfig::durable("d")).await.unwrap()).await;
    put(&stream, "orders.a", "1").await.unwrap();
    take(&mut deliveries).await.ack().await.unwrap();
    server.pause().await.unwrap();
    let comes_back = async {
        let lost = event(&mut events).await;
        assert!(matches!(&lost, Event::Lost { reason, .. } if reason.contains("heartbeat")), "{lost:?}");
        server.resume().await.unwrap();
        assert!(matches!(event(&mut events).await, Event::Rebuilt { recreated: false, .. }));
        put(&stream, "orders.a", "2").await.unwrap();
    };
    let within = Duration::from_secs(60);
    let (taken, ()) =
        tokio::time::timeout(within, futures_util::future::join(take(&mut deliveries), comes_back)).await.unwrap();
    assert_eq!(text(&taken), "2");
}
