//! A transport fixed to a subject, by hand and as a stage.

use flux_core::{ErrorKind, Requester, Result, Stage, Subscriber, Topic, bind, next, subject};

use crate::number::numbers;
use crate::wire::Place;

/// Code that knows of stages only.
async fn through<In, S: Stage<In>>(stage: &S, input: In) -> Result<S::Out, S::Error> {
    stage.process(input).await
}

#[tokio::test]
async fn a_bound_publisher_is_a_stage_from_a_value_to_a_receipt() -> Result<()> {
    let (wire, bus) = numbers();
    let totals = bind(&bus, subject!("orders.total"))?;
    assert_eq!(totals.publish(1).await?, Place(1));
    assert_eq!(through(&totals, 2_u32).await?, Place(2));
    let sent: Vec<_> = wire.sent().into_iter().map(|message| (message.subject, message.payload)).collect();
    assert_eq!(sent, [(subject!("orders.total"), "1".into()), (subject!("orders.total"), "2".into())]);
    Ok(())
}

#[tokio::test]
async fn a_bound_topic_publishes_and_subscribes() -> Result<()> {
    let (_, bus) = numbers();
    let topic = bind(Topic::new(bus.clone(), bus), "orders.total")?;
    let mut deliveries = Box::pin(topic.subscribe::<u32>().await?);
    topic.publish(7).await?;
    let delivery = next(deliveries.as_mut()).await.expect("live")?;
    assert_eq!(delivery.message.payload, 7);
    assert_eq!(topic.subject(), &subject!("orders.total"));
    Ok(())
}

#[tokio::test]
async fn a_bound_requester_is_a_stage_from_request_to_response() {
    struct Doubles;
    impl Requester<u32, u64> for Doubles {
        async fn ask(&self, request: flux_core::Message<u32>) -> Result<flux_core::Message<u64>> {
            assert_eq!(request.subject, subject!("double"));
            Ok(request.map(|n| u64::from(n) * 2))
        }
    }
    let double = bind(Doubles, subject!("double")).expect("valid");
    assert_eq!(double.request::<u32, u64>(4).await.ok(), Some(8));
    assert_eq!(through(&double.into_request::<u64>(), 5_u32).await.ok(), Some(10));
}

#[tokio::test]
async fn a_subject_is_checked_when_it_is_bound() {
    let (wire, bus) = numbers();
    let error = bind(&bus, "orders.*").expect_err("a filter");
    assert_eq!(error.kind(), ErrorKind::InvalidSubject);
    assert!(Subscriber::<u32>::subscribe(&bus, "orders.>.x").await.is_err());
    assert!(wire.sent().is_empty());
}
