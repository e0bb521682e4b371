//! Queue groups.

use flux_core::{ErrorKind, Outstanding, Publisher, QueueSubscriber, Subscriber};
use flux_mem::{Mem, MemConfig, MemDeliveries};
use futures_util::StreamExt as _;

use crate::{payload, ready, subscribe};

async fn member(bus: &Mem, filter: &str, group: &str) -> MemDeliveries<i32> {
    bus.subscribe_group(filter, group).await.expect("a valid filter on an open bus")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_share_the_messages_out() {
    let bus = Mem::with_config(MemConfig::new().with_capacity(16));
    let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(4));
    let mut members = Vec::new();
    for _ in 0..4 {
        let mut stream = member(&bus, "jobs.*", "workers").await;
        let barrier = std::sync::Arc::clone(&barrier);
        members.push(tokio::spawn(async move {
            let mut got = vec![payload(&mut stream).await];
            // Nobody takes a second one before everybody has a first one.
            barrier.wait().await;
            while let Some(delivery) = stream.next().await {
                got.push(delivery.expect("a message").message.payload);
            }
            got
        }));
    }
    let mut all = subscribe::<i32>(&bus, "jobs.>").await;
    for n in 0..1_000 {
        assert_eq!(bus.publish("jobs.a", n).await.expect("published").subscribers, 2, "a group counts once");
        assert_eq!(payload(&mut all).await, n);
    }
    drop(all);
    bus.close().await;
    let mut got = Vec::new();
    for member in members {
        let part = member.await.expect("no panic");
        assert!(part.is_sorted());
        got.extend(part);
    }
    got.sort_unstable();
    assert_eq!(got, (0..1_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_group_is_its_name_and_its_filter() {
    let bus = Mem::new();
    let mut streams =
        vec![member(&bus, "a.*", "one").await, member(&bus, "a.*", "two").await, member(&bus, "a.b", "one").await];
    assert_eq!(bus.publish("a.b", 1).await.expect("published").subscribers, 3);
    for stream in &mut streams {
        assert_eq!(payload(stream).await, 1);
    }
}

#[tokio::test]
async fn what_a_member_did_not_take_is_left_to_the_others() {
    let bus = Mem::new();
    let mut first = member(&bus, "a", "g").await;
    let mut second = member(&bus, "a", "g").await;
    for n in 0..3 {
        bus.publish("a", n).await.expect("published");
    }
    assert_eq!(payload(&mut first).await, 0);
    drop(first);
    assert_eq!((payload(&mut second).await, payload(&mut second).await), (1, 2));
    drop(second);
    assert_eq!(bus.publish("a", 3).await.expect("published").subscribers, 0);
    let mut third = member(&bus, "a", "g").await;
    assert!(ready(&mut third).is_none(), "a group lives as long as it has members");
}

#[tokio::test]
async fn a_member_is_behind_by_what_it_took_and_what_is_left() {
    let bus = Mem::new();
    let mut first = member(&bus, "a", "g").await;
    for n in 0..3 {
        bus.publish("a", n).await.expect("published");
    }
    payload(&mut first).await;
    let mut second = member(&bus, "a", "g").await;
    let backlogs = [&first, &second].map(|member| <Mem as Subscriber<i32>>::backlog(member).expect("mem can tell"));
    let outstanding = async || (backlogs[0].outstanding().await.ok(), backlogs[1].outstanding().await.ok());
    assert_eq!(outstanding().await, (Some(Outstanding::Accepted(3)), Some(Outstanding::Accepted(2))));
    payload(&mut second).await;
    payload(&mut second).await;
    assert_eq!(outstanding().await, (Some(Outstanding::Accepted(1)), Some(Outstanding::Accepted(2))));
}

#[tokio::test]
async fn a_member_that_sleeps_on_does_not_keep_a_message_from_the_others() {
    let bus = Mem::new();
    let mut idle = member(&bus, "a", "g").await;
    let mut busy = member(&bus, "a", "g").await;
    assert!(ready(&mut idle).is_none(), "polled once and never again");
    let worker = tokio::spawn(async move { payload(&mut busy).await });
    tokio::task::yield_now().await;
    bus.publish("a", 9).await.expect("published");
    assert_eq!(worker.await.expect("no panic"), 9);
}

#[tokio::test]
async fn a_group_needs_a_name() {
    let bus = Mem::new();
    for name in ["", "two words", "tab\t"] {
        let error = QueueSubscriber::<i32>::subscribe_group(&bus, "a", name).await.expect_err(name);
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}
