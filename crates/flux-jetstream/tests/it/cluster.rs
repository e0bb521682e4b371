//! A stream with three replicas outlives its leader.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use flux_core::{Message, Publisher as _, subject};
use flux_jetstream::{ConsumerConfig, JetStream, JsStream};
use flux_nats::Nats;
use flux_nats_server::Cluster;

use crate::{config, listen, take, text};

const MESSAGES: u32 = 300;

async fn leader(stream: &JsStream) -> String {
    let client = stream.jetstream().nats().client().clone();
    let raw = async_nats::jetstream::new(client).get_stream(stream.name()).await.unwrap();
    raw.cached_info().cluster.clone().unwrap().leader.unwrap()
}

#[tokio::test]
async fn what_was_stored_is_handled_although_the_leader_is_killed() {
    let cluster = Cluster::of(3).with_jetstream().start().await.unwrap();
    let urls: Vec<_> = cluster.servers().iter().map(|server| server.url().to_owned()).collect();
    let nats = Nats::new(async_nats::connect(urls).await.unwrap());
    let jetstream = JetStream::new(nats).with_timeout(Duration::from_secs(2));
    let stream = jetstream.stream(config().with_replicas(3)).await.unwrap();
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
