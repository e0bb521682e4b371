//! Random operations against a model: nothing that was stored is lost, nothing that was settled comes back.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use flux_core::{Consumer as _, Publisher as _};
use flux_mem::{ConsumerConfig, Mem};
use proptest::prelude::*;

use crate::{Taken, config};

#[derive(Debug, Clone)]
enum Step {
    Publish,
    Fetch(usize),
    /// What becomes of the nth delivery that is held.
    Ack(usize),
    Nak(usize),
    NakAfter(usize, u64),
    Term(usize),
    Progress(usize),
    Forget(usize),
    Advance(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Publish),
        4 => (1..5_usize).prop_map(Step::Fetch),
        3 => any::<usize>().prop_map(Step::Ack),
        1 => any::<usize>().prop_map(Step::Nak),
        1 => (any::<usize>(), 1..90_u64).prop_map(|(which, delay)| Step::NakAfter(which, delay)),
        1 => any::<usize>().prop_map(Step::Term),
        1 => any::<usize>().prop_map(Step::Progress),
        1 => any::<usize>().prop_map(Step::Forget),
        2 => (1..40_u64).prop_map(Step::Advance),
    ]
}

/// How often each message that is not settled was delivered.
type Unsettled = BTreeMap<u64, u64>;

async fn fetch(
    consumer: &flux_mem::MemConsumer,
    max: usize,
    unsettled: &mut Unsettled,
) -> Result<Vec<Taken>, TestCaseError> {
    let batch = consumer.fetch(max, Duration::ZERO).await.unwrap();
    let mut taken = Vec::new();
    for delivery in batch {
        let delivery = delivery.unwrap();
        let sequence = delivery.metadata.sequence.unwrap();
        let Some(count) = unsettled.get_mut(&sequence) else {
            return Err(TestCaseError::fail(format!("{sequence} was settled, and came back")));
        };
        *count += 1;
        prop_assert_eq!(delivery.metadata.delivered, Some(*count));
        taken.push(delivery);
    }
    Ok(taken)
}

async fn check(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let stream = Mem::stream(config()).unwrap();
    let consumer = stream.consumer(ConsumerConfig::durable("d").with_max_ack_pending(5)).unwrap();
    let mut unsettled = Unsettled::new();
    let mut held: Vec<Taken> = Vec::new();
    for step in steps {
        let chosen = |which: usize, held: &Vec<Taken>| (!held.is_empty()).then(|| which % held.len());
        match step {
            Step::Publish => {
                let stored = stream.publish("orders.new", Bytes::new()).await.unwrap();
                unsettled.insert(stored.sequence, 0);
            }
            Step::Fetch(max) => held.extend(fetch(&consumer, max, &mut unsettled).await?),
            Step::Advance(seconds) => tokio::time::advance(Duration::from_secs(seconds)).await,
            Step::Progress(which) => {
                if let Some(delivery) = chosen(which, &held).and_then(|index| held.get(index)) {
                    delivery.progress().await.unwrap();
                }
            }
            Step::Ack(which)
            | Step::Term(which)
            | Step::Nak(which)
            | Step::NakAfter(which, _)
            | Step::Forget(which) => {
                let Some(index) = chosen(which, &held) else { continue };
                let delivery = held.swap_remove(index);
                let sequence = delivery.metadata.sequence.unwrap();
                match step {
                    Step::Ack(_) | Step::Term(_) => {
                        unsettled.remove(&sequence);
                        delivery.ack().await.unwrap();
                    }
                    Step::Nak(_) => delivery.nak().await.unwrap(),
                    Step::NakAfter(_, delay) => delivery.nak_after(Duration::from_secs(delay)).await.unwrap(),
                    _ => drop(delivery),
                }
            }
        }
        let info = consumer.info().unwrap();
        let outstanding = usize::try_from(info.pending).unwrap() + info.ack_pending;
        prop_assert_eq!(outstanding, unsettled.len());
        prop_assert!(info.ack_pending <= 5);
    }
    drop(held);
    for _ in 0..10_000 {
        if unsettled.is_empty() {
            return Ok(());
        }
        for delivery in fetch(&consumer, 5, &mut unsettled).await? {
            unsettled.remove(&delivery.metadata.sequence.unwrap());
            delivery.ack().await.unwrap();
        }
        tokio::time::advance(Duration::from_secs(10)).await;
    }
    Err(TestCaseError::fail(format!("never delivered again: {unsettled:?}")))
}

proptest! {
    // A failing case prints its steps, which are all it takes to repeat it.
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_nothing_settled_comes_back(steps in prop::collection::vec(step(), 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(check(steps))?;
    }
}
