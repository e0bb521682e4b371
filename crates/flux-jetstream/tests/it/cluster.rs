//! A stream with three replicas outlives its leader, and so does a consumer.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use flux_core::{Message, Publisher as _, Result, next, subject};
use flux_jetstream::{ConsumerConfig, Event, JetStream, JsStream};
use flux_nats::Nats;
use flux_nats_server::{Cluster, ClusterBuilder};
use futures_util::FutureExt as _;

use crate::{config, listen, take, text};

const MESSAGES: u32 = 300;

async fn raw(stream: &JsStream) -> async_nats::jetstream::stream::Stream {
    let client = stream.jetstream().nats().client().clone();
    async_nats::jetstream::new(client).get_stream(stream.name()).await.unwrap()
}

async fn leader(stream: &JsStream) -> String {
    raw(stream).await.cached_info().cluster.clone().unwrap().leader.unwrap()
}

fn cluster() -> ClusterBuilder {
    Cluster::of(3).with_jetstream().each(|server| server.config("server_tags: [ssd]"))
}

/// Until the cluster answers: while it chooses a leader nobody does, and what it was asked is lost.
async fn made<T>(make: impl AsyncFn() -> Result<T>) -> T {
    loop {
        match make().await {
            Ok(made) => return made,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
}

/// Three servers, and a stream that all of them keep.
async fn three() -> (Cluster, JsStream) {
    let cluster = cluster().start().await.unwrap();
    let urls: Vec<_> = cluster.servers().iter().map(|server| server.url().to_owned()).collect();
    let nats = Nats::new(async_nats::connect(urls).await.unwrap());
    let jetstream = JetStream::new(nats).with_timeout(Duration::from_secs(2));
    let stream = made(|| jetstream.stream(config().with_replicas(3))).await;
    (cluster, stream)
}

#[tokio::test]
async fn what_was_stored_is_handled_although_the_leader_is_killed() {
    let (cluster, stream) = three().await;
    let consumer = stream.consumer(ConsumerConfig::durable("d").with_ack_wait(Duration::from_secs(3))).await.unwrap();
    let mut deliveries = listen(&consumer).await;
    let stored = Mutex::new(BTreeSet::new());
    let publishes = async {
        for number in 0..MESSAGES {
            if number == MESSAGES / 3 {
                cluster.server(&leader(&stream).await).unwrap().kill().await.unwrap();
            }
            let message = Message::to(subject!("orders.new"), Bytes::from(number.to_string()));
            // What fails is sent again with the same id, as any caller would, until the cluster has another leader.
            while stream.send(message.clone().with_id(number).unwrap()).await.is_err() {}
            stored.lock().unwrap().insert(number);
        }
    };
    let handles = async {
        let mut handled = BTreeSet::new();
        while handled.len() < MESSAGES as usize {
            let taken = take(&mut deliveries).await;
            handled.insert(text(&taken).parse::<u32>().unwrap());
            // An ack that is lost with its server brings the message again.
            let _ = taken.ack().await;
        }
        handled
    };
    let both = futures_util::future::join(publishes, handles);
    let ((), handled) = tokio::time::timeout(Duration::from_secs(90), both).await.unwrap();
    assert_eq!(handled, stored.into_inner().unwrap());
    assert_eq!(
        stream.info().await.unwrap().messages,
        u64::from(MESSAGES),
        "ids keep a second attempt from being stored"
    );
}

#[tokio::test]
async fn a_consumer_that_loses_its_leader_is_told_and_goes_on() {
    let (cluster, stream) = three().await;
    let consumer = stream.consumer(ConsumerConfig::durable("d")).await.unwrap();
    let mut events = stream.jetstream().events();
    let mut deliveries = listen(&consumer).await;
    // It has asked the leader, and asks nobody else until it notices.
    assert!(take(&mut deliveries).now_or_never().is_none());
    stream.jetstream().nats().flush().await.unwrap();
    let info = raw(&stream).await.consumer_info("d").await.unwrap();
    cluster.server(&info.cluster.unwrap().leader.unwrap()).unwrap().kill().await.unwrap();
    let publishes = async {
        let lost = next(Pin::new(&mut events)).await.unwrap();
        let rebuilt = next(Pin::new(&mut events)).await.unwrap();
        let message = Message::to(subject!("orders.new"), Bytes::from_static(b"1")).with_id("1").unwrap();
        while stream.send(message.clone()).await.is_err() {}
        (lost, rebuilt)
    };
    let both = futures_util::future::join(take(&mut deliveries), publishes);
    let (taken, (lost, rebuilt)) = tokio::time::timeout(Duration::from_secs(60), both).await.unwrap();
    assert_eq!(text(&taken), "1");
    assert!(matches!(&lost, Event::Lost { consumer, .. } if &**consumer == "d"), "{lost:?}");
    assert!(matches!(&rebuilt, Event::Rebuilt { recreated: false, .. }), "{rebuilt:?}");
}

#[cfg(all(feature = "kv", feature = "object-store"))]
#[tokio::test]
async fn replicas_and_places_are_as_declared() {
    use flux_codec::Text;
    use flux_jetstream::{KvConfig, ObjectStoreConfig, Placement, StreamConfig};

    let (_cluster, stream) = three().await;
    let jetstream = stream.jetstream();
    let tagged = |tag: &str| Placement { cluster: None, tags: vec![tag.to_owned()] };
    let placed = |name: &str, tag| StreamConfig::new(name, [name]).with_placement(tagged(tag));
    made(|| jetstream.stream(placed("a", "ssd"))).await;
    assert_eq!(jetstream.differences(&placed("a", "ssd")).await.unwrap(), []);
    assert!(jetstream.stream(placed("b", "tape")).await.is_err(), "no server has this tag");
    let elsewhere = Placement { cluster: Some("elsewhere".to_owned()), tags: Vec::new() };
    assert!(jetstream.stream(StreamConfig::new("c", ["c"]).with_placement(elsewhere)).await.is_err());

    let bucket = |tag| KvConfig::new("settings").with_replicas(3).with_placement(tagged(tag));
    made(|| jetstream.key_value(bucket("ssd"), Text)).await;
    assert!(jetstream.key_value(bucket("tape"), Text).await.is_err(), "it differs");
    made(|| jetstream.object_store(ObjectStoreConfig::new("files").with_replicas(3))).await;
    let context = async_nats::jetstream::new(jetstream.nats().client().clone());
    for name in ["orders", "KV_settings", "OBJ_files"] {
        let kept = context.get_stream(name).await.unwrap().cached_info().cluster.clone().unwrap();
        assert_eq!(kept.replicas.len(), 2, "{name}: beside the leader");
    }
}
