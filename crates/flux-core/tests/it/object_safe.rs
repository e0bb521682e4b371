//! Boxed, shared and borrowed twins go where the trait goes.

use std::sync::Arc;
use std::time::Duration;

use flux_core::{
    Acker, ArcPublisher, ArcQueueSubscriber, ArcStage, ArcSubscriber, BoxAcker, BoxConsumer, BoxDeliveries,
    BoxQueueSubscriber, BoxRequester, BoxResponder, BoxSettle, BoxStage, BoxSubscriber, Bytes, Consumer, Delivery,
    DynConsumer, DynPublisher, DynQueueSubscriber, DynRequester, DynResponder, DynSubscriber, ErrorKind, Failure,
    Forwarded, Message, Metadata, NoAck, Outcome, Outstanding, Publisher, QueueSubscriber, Reply, Requester, Responder,
    Result, Settle, Stage, Subscriber, next, subject,
};

use crate::Numbers;
use crate::number::numbers;
use crate::wire::Done;

async fn send_seven<P: Publisher<u32>>(publisher: P) -> Result<()> {
    publisher.publish("n", 7).await?;
    publisher.send(Message::to(subject!("n"), 7)).await?;
    let bytes = Forwarded::Encoded(Bytes::from_static(b"7"));
    publisher.forward(Message::to(subject!("n"), bytes)).await?;
    publisher.flush().await
}

#[tokio::test]
async fn a_publisher() -> Result<()> {
    let (wire, bus) = numbers();
    let shared: ArcPublisher<u32> = Arc::new(bus.clone());
    let boxed: Box<dyn DynPublisher<u32>> = Box::new(bus.clone());
    let borrowed: &dyn DynPublisher<u32> = &bus;
    send_seven(Arc::clone(&shared)).await?;
    send_seven(&boxed).await?;
    send_seven(borrowed).await?;
    send_seven(&shared).await?;
    assert_eq!(wire.flushes(), 4);
    assert_eq!(wire.sent().len(), 12);
    assert!(wire.sent().iter().all(|message| message.payload == "7"));
    Ok(())
}

async fn receive_one<S: Subscriber<u32>>(subscriber: S, send: impl Future<Output = Result<()>>) -> Result<u32> {
    let mut deliveries = Box::pin(subscriber.subscribe("n").await?);
    send.await?;
    let delivery = next(deliveries.as_mut()).await.expect("live")?;
    let payload = delivery.message.payload;
    delivery.settle(Outcome::Ack).await?;
    Ok(payload)
}

#[tokio::test]
async fn a_subscriber() -> Result<()> {
    let (wire, bus) = numbers();
    let boxed: BoxSubscriber<u32> = Box::new(bus.clone());
    let shared: Arc<dyn DynSubscriber<u32>> = Arc::new(bus.clone());
    let borrowed: &dyn DynSubscriber<u32> = &bus;
    let send = || async { bus.publish("n", 5).await.map(drop) };
    assert_eq!(receive_one(boxed, send()).await?, 5);
    assert_eq!(receive_one(shared, send()).await?, 5);
    assert_eq!(receive_one(borrowed, send()).await?, 5);
    assert_eq!(wire.done(), [Done::Ack, Done::Ack, Done::Ack], "the boxed acker settles at the wire");
    Ok(())
}

async fn receive_as_member<S: QueueSubscriber<u32>>(subscriber: S, bus: &Numbers) -> Result<u32> {
    let mut deliveries = Box::pin(subscriber.subscribe_group("n", "workers").await?);
    let backlog = S::backlog(&deliveries).expect("the wire can tell");
    bus.publish("n", 6).await?;
    assert_eq!(backlog.outstanding().await?, Outstanding::Accepted(1));
    let delivery = next(deliveries.as_mut()).await.expect("live")?;
    let payload = delivery.message.payload;
    delivery.settle(Outcome::Ack).await?;
    Ok(payload)
}

#[tokio::test]
async fn a_subscriber_with_queue_groups() -> Result<()> {
    let (wire, bus) = numbers();
    let boxed: BoxQueueSubscriber<u32> = Box::new(bus.clone());
    let shared: ArcQueueSubscriber<u32> = Arc::new(bus.clone());
    let borrowed: &dyn DynQueueSubscriber<u32> = &bus;
    assert_eq!(receive_as_member(&boxed, &bus).await?, 6);
    assert_eq!(receive_as_member(Arc::clone(&shared), &bus).await?, 6);
    assert_eq!(receive_as_member(borrowed, &bus).await?, 6);
    assert_eq!(receive_one(shared, async { bus.publish("n", 5).await.map(drop) }).await?, 5, "without a group too");
    assert_eq!(wire.groups(), ["workers", "workers", "workers"], "the group's name reaches the wire");
    assert_eq!(wire.done().len(), 4);
    let error = boxed.subscribe_group("n", "").await.expect_err("no name");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    Ok(())
}

#[tokio::test]
async fn a_boxed_subscription_tells_its_backlog() -> Result<()> {
    let (_, bus) = numbers();
    let shared: ArcSubscriber<u32> = Arc::new(bus.clone());
    let deliveries = shared.subscribe("n").await?;
    let backlog = ArcSubscriber::<u32>::backlog(&deliveries).expect("the wire can tell");
    bus.publish("n", 5).await?;
    bus.publish("n", 5).await?;
    assert_eq!(backlog.outstanding().await?, Outstanding::Accepted(2));
    let silent = BoxDeliveries::<u32>::new(deliveries);
    assert!(ArcSubscriber::<u32>::backlog(&silent).is_none(), "nobody knows how far behind it is");
    Ok(())
}

async fn fetch_one<C: Consumer<u32>>(consumer: C) -> Result<u32> {
    let mut batch = consumer.fetch(1, Duration::ZERO).await?;
    Ok(batch.remove(0)?.message.payload)
}

#[tokio::test]
async fn a_consumer() -> Result<()> {
    let (_, bus) = numbers();
    for n in 1..=3 {
        bus.publish("n", n).await?;
    }
    let boxed: BoxConsumer<u32> = Box::new(bus.clone());
    let shared: Arc<dyn DynConsumer<u32>> = Arc::new(bus.clone());
    let borrowed: &dyn DynConsumer<u32> = &bus;
    assert_eq!((fetch_one(boxed).await?, fetch_one(shared).await?, fetch_one(borrowed).await?), (1, 2, 3));
    assert!(Consumer::<u32>::fetch(&bus, 1, Duration::ZERO).await?.is_empty());
    Ok(())
}

async fn ask_and_answer<Q, R>(requester: Q, responder: R) -> Result<u32>
where
    Q: Requester<u32, u32>,
    R: Responder<u32, u32>,
{
    let mut requests = Box::pin(responder.listen("n").await?);
    let answering = async {
        let Delivery { message, acker, .. } = next(requests.as_mut()).await.expect("live")?;
        acker.reply(Ok(message.map(|n| n + 1))).await
    };
    let (answer, replied) = futures_util::future::join(requester.request("n", 1), answering).await;
    replied?;
    responder.flush_replies().await?;
    answer
}

#[tokio::test]
async fn a_requester_and_a_responder() -> Result<()> {
    let (wire, bus) = numbers();
    let asks: BoxRequester<u32, u32> = Box::new(bus.clone());
    let answers: BoxResponder<u32, u32> = Box::new(bus.clone());
    assert_eq!(ask_and_answer(asks, answers).await?, 2);
    let asks: Arc<dyn DynRequester<u32, u32>> = Arc::new(bus.clone());
    let answers: Arc<dyn DynResponder<u32, u32>> = Arc::new(bus.clone());
    assert_eq!(ask_and_answer(asks, answers).await?, 2);
    let (asks, answers): (&dyn DynRequester<u32, u32>, &dyn DynResponder<u32, u32>) = (&bus, &bus);
    assert_eq!(ask_and_answer(asks, answers).await?, 2);
    assert_eq!(wire.flushes(), 3, "the replies are flushed at the wire");
    Ok(())
}

async fn process<S: Stage<u32, Out = u32, Error: Into<Failure>>>(stage: S) -> Option<u32> {
    stage.process(8).await.ok()
}

#[tokio::test]
async fn a_stage() {
    async fn half(n: u32) -> Result<u32, Failure> {
        Ok(n / 2)
    }
    let shared = ArcStage::new(half);
    assert_eq!(process(half).await, Some(4));
    assert_eq!(process(BoxStage::new(half)).await, Some(4));
    assert_eq!(process(shared.clone()).await, Some(4));
    assert_eq!(process(BoxStage::new(shared)).await, Some(4));
}

async fn settle_every_way<A: Acker>(acker: impl Fn() -> A + Send + Sync) -> Result<()> {
    let delivery = || Delivery::new(Message::to(subject!("n"), ()), Metadata::default(), acker());
    delivery().progress().await?;
    delivery().ack().await?;
    delivery().nak().await?;
    delivery().nak_after(Duration::from_millis(5)).await?;
    delivery().term("why").await
}

#[tokio::test]
async fn an_acker() -> Result<()> {
    let (wire, _) = numbers();
    settle_every_way(|| wire.settler()).await?;
    let plain = wire.done();
    assert_eq!(plain.len(), 5);
    settle_every_way(|| -> BoxAcker { Box::new(wire.settler()) }).await?;
    assert_eq!(wire.done().split_off(5), plain, "a boxed acker says the same");
    Ok(())
}

#[tokio::test]
async fn a_boxed_settle_knows_whether_the_transport_redelivers() -> Result<()> {
    let (wire, _) = numbers();
    assert!(BoxSettle::new(wire.settler()).redelivers());
    assert!(!BoxSettle::new(NoAck).redelivers() && !BoxSettle::new(NoAck).sender_waits());
    BoxSettle::new(wire.settler()).keep_alive().await?;
    BoxSettle::new(wire.settler()).settle(Outcome::NakAfter(Duration::from_secs(1))).await?;
    assert_eq!(wire.done(), [Done::Progress, Done::Nak(Some(Duration::from_secs(1)))]);
    Ok(())
}
