//! JetStream: what one client stores, the other consumes, under one id.

use std::time::Duration;

use flux_codec::Json;
use flux_core::{Acker as _, Consumer as _, Delivery, Message, Publisher as _};
use flux_jetstream::{ConsumerConfig, JetStream, StreamConfig};
use flux_nats_server::Server;
use flux_testing::Peer;
use serde_json::json;

use crate::{Order, served};

const ID: &str = r#"{"Nats-Msg-Id": "o-7", "X-Tenant": "acme"}"#;

#[tokio::test]
async fn what_python_stores_is_handled_and_settled() {
    let (server, nats) = served(Server::builder().with_jetstream()).await;
    let jetstream = JetStream::new(nats);
    Peer::start(server.url(), "declare", &["ORDERS", "orders.>"]).await.done().await;
    let stream = jetstream.stream(StreamConfig::new("ORDERS", ["orders.>"])).await.unwrap();
    let mut peer = Peer::start(server.url(), "store", &["ORDERS", "orders.created", r#"{"id": 7}"#, ID]).await;
    assert_eq!(peer.told().await, json!({"stream": "ORDERS", "sequence": 1, "duplicate": false}));
    peer.done().await;

    let consumer = stream.consumer(ConsumerConfig::durable("billing")).await.unwrap().typed(Json);
    let mut batch = consumer.fetch(1, Duration::from_secs(20)).await.unwrap();
    let delivery: Delivery<Order, _> = batch.pop().unwrap().unwrap();
    let message = &delivery.message;
    assert_eq!((message.id(), &message.payload), (Some("o-7"), &Order { id: 7 }));
    assert_eq!(message.headers.get("X-Tenant"), Some("acme"));
    delivery.acker.ack().await.unwrap();
    let mut peer = Peer::start(server.url(), "consumer", &["ORDERS", "billing"]).await;
    assert_eq!(peer.told().await, json!({"pending": 0, "unsettled": 0, "redelivered": 0}));
    peer.done().await;
}

#[tokio::test]
async fn what_flux_stores_is_fetched_by_python_and_known_by_its_id() {
    let (server, nats) = served(Server::builder().with_jetstream()).await;
    let stream = JetStream::new(nats).stream(StreamConfig::new("ORDERS", ["orders.>"])).await.unwrap().typed(Json);
    let order = Message::new("orders.created", Order { id: 7 }).unwrap().with_id("o-7").unwrap();
    let stored = stream.send(order.clone()).await.unwrap();
    assert!(!stored.duplicate);

    let mut peer = Peer::start(server.url(), "store", &["ORDERS", "orders.created", r#"{"id": 7}"#, ID]).await;
    assert_eq!(peer.told().await, json!({"stream": "ORDERS", "sequence": 1, "duplicate": true}));
    peer.done().await;
    assert!(stream.send(order).await.unwrap().duplicate);

    let mut peer = Peer::start(server.url(), "fetch", &["ORDERS", "python", "1"]).await;
    let told = peer.told().await;
    peer.done().await;
    assert_eq!((&told["subject"], &told["data"]), (&json!("orders.created"), &json!(r#"{"id":7}"#)));
    let headers = json!({"Nats-Msg-Id": "o-7", "X-Message-ID": "o-7"});
    assert_eq!(told["headers"], headers);
}
