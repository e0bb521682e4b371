//! Who of several subscribers gets messages.

use std::time::Duration;

use flux_codec::Text;
use flux_core::{Consumer as _, Failure, Message};
use flux_jetstream::{ConsumerConfig, JetStream, JsConsumer, JsStream, PriorityGroup, StreamConfig};
use flux_nats::Nats;
use flux_router::{Route, Router};
use futures_util::FutureExt as _;

use crate::{config, listen, put, stream, take, text};

const SECOND: Duration = Duration::from_secs(1);

fn durable(group: PriorityGroup) -> ConsumerConfig {
    ConsumerConfig::durable("d").with_priority_group(group)
}

async fn settled(consumer: &JsConsumer, taken: crate::Taken) -> String {
    let found = text(&taken);
    taken.acker.ack_confirmed().await.unwrap();
    assert_eq!(consumer.info().await.unwrap().ack_pending, 0);
    found
}

#[tokio::test]
async fn one_is_pinned_until_it_leaves() {
    let stream = stream().await;
    let pinned = PriorityGroup::Pinned { name: "g".into(), timeout: SECOND };
    let consumer = stream.consumer(durable(pinned)).await.unwrap();
    let mut first = listen(&consumer).await;
    put(&stream, "orders.a", "0").await.unwrap();
    assert_eq!(settled(&consumer, take(&mut first).await).await, "0");
    let mut second = listen(&consumer).await;
    for number in ["1", "2", "3"] {
        put(&stream, "orders.a", number).await.unwrap();
        let (mut one, mut two) = (Box::pin(take(&mut first)), Box::pin(take(&mut second)));
        let taken = futures_util::future::select(&mut one, &mut two).await;
        let futures_util::future::Either::Left((taken, _)) = taken else { panic!("the other one got it") };
        assert_eq!(settled(&consumer, taken).await, number);
        assert!(two.as_mut().now_or_never().is_none());
    }
    drop(first);
    put(&stream, "orders.a", "4").await.unwrap();
    assert_eq!(settled(&consumer, take(&mut second).await).await, "4");
}

#[tokio::test]
async fn overflow_comes_only_when_enough_waits() {
    let stream = stream().await;
    let overflow = |min_pending| PriorityGroup::Overflow { name: "g".into(), min_pending, min_ack_pending: 0 };
    let helper = stream.consumer(durable(overflow(3))).await.unwrap();
    let main = stream.consumer(durable(overflow(0))).await.unwrap();
    put(&stream, "orders.a", "1").await.unwrap();
    put(&stream, "orders.a", "2").await.unwrap();
    assert!(helper.fetch(1, SECOND / 2).await.unwrap().is_empty(), "two are not enough");
    put(&stream, "orders.a", "3").await.unwrap();
    assert_eq!(helper.fetch(1, SECOND).await.unwrap().len(), 1);
    assert_eq!(main.fetch(5, SECOND / 2).await.unwrap().len(), 2);
}

#[tokio::test]
async fn overflow_comes_when_enough_is_unsettled() {
    let stream = stream().await;
    let overflow =
        |min_pending, min_ack_pending| PriorityGroup::Overflow { name: "g".into(), min_pending, min_ack_pending };
    let helper = stream.consumer(durable(overflow(100, 2))).await.unwrap();
    let main = stream.consumer(durable(overflow(0, 0))).await.unwrap();
    for number in ["1", "2", "3"] {
        put(&stream, "orders.a", number).await.unwrap();
    }
    let _first = main.fetch(1, SECOND).await.unwrap();
    assert!(helper.fetch(1, SECOND / 2).await.unwrap().is_empty(), "one is not enough");
    let _second = main.fetch(1, SECOND).await.unwrap();
    assert_eq!(helper.fetch(1, SECOND).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_lower_number_goes_first() {
    let stream = stream().await;
    let prioritized = |priority| PriorityGroup::Prioritized { name: "g".into(), priority };
    let spare = stream.consumer(durable(prioritized(1))).await.unwrap();
    let main = stream.consumer(durable(prioritized(0))).await.unwrap();
    let both = async {
        let (spare, main) = (spare.fetch(1, SECOND * 5), main.fetch(1, SECOND * 5));
        // Both ask before there is anything.
        let puts = async {
            loop {
                let waiting = stream.consumer(durable(prioritized(0))).await.unwrap().info().await.unwrap().waiting;
                if waiting == 2 {
                    return put(&stream, "orders.a", "1").await.unwrap();
                }
            }
        };
        futures_util::future::select(Box::pin(futures_util::future::join(main, puts)), Box::pin(spare)).await
    };
    let futures_util::future::Either::Left(((taken, _), _)) = both.await else { panic!("the spare one got it") };
    assert_eq!(taken.unwrap().len(), 1);
}

#[tokio::test]
async fn a_group_that_is_taken_twice_is_noticed_however_the_handles_were_made() {
    async fn ok(_: Message<String>) -> Result<(), Failure> {
        Ok(())
    }
    let one = stream().await;
    let again = JetStream::new(Nats::new(one.jetstream().nats().client().clone()));
    let same = again.stream(config()).await.unwrap();
    let other = again.stream(StreamConfig::new("bills", ["bills.>"])).await.unwrap();
    let elsewhere = stream().await;
    let check = |second: &JsStream| {
        let route = |stream: &JsStream| Route::receiving("orders.*", &stream.clone().typed(Text), ok).queue_group("g");
        Router::new().add(route(&one)).add(route(second)).check()
    };
    let error = check(&same).expect_err("one stream");
    assert!(error.to_string().contains("queue group, `g`"), "{error}");
    check(&other).expect("another stream");
    check(&elsewhere).expect("another connection");
}
