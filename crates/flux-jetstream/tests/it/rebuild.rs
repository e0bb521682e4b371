//! What breaks is rebuilt, reported, and goes on where it was.

use std::pin::Pin;
use std::time::Duration;

use flux_core::{ErrorKind, next};
use flux_jetstream::{ConsumerConfig, Event, Events, JetStream, JsStream};
use flux_nats::Nats;
use flux_nats_server::Server;

use crate::{config, listen, put, stream, take, text};

async fn event(events: &mut Events) -> Event {
    next(Pin::new(events)).await.unwrap()
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
        let message =
            flux_core::Message::new("orders.a", bytes::Bytes::from_static(b"3")).unwrap().with_id("3").unwrap();
        flux_core::Publisher::send(&stream, message).await.unwrap()
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
