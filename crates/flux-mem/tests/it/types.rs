//! Values of several types on one bus.

use flux_core::{Bytes, ErrorKind, Publisher, Requester, Responder};
use flux_mem::{Mem, MemRequests};
use futures_util::StreamExt as _;

use crate::{payload, ready, subscribe};

#[derive(Debug, Clone, PartialEq)]
struct Order(u64);

#[derive(Debug, Clone, PartialEq)]
struct Invoice(u64);

#[tokio::test]
async fn each_type_has_its_own_subscribers() {
    let bus = Mem::new();
    let mut orders = subscribe::<Order>(&bus, ">").await;
    let mut invoices = subscribe::<Invoice>(&bus, ">").await;
    assert_eq!(bus.publish("a", Order(1)).await.expect("published").subscribers, 1);
    assert_eq!(bus.publish("a", Invoice(2)).await.expect("published").subscribers, 1);
    assert_eq!(payload(&mut orders).await, Order(1));
    assert_eq!(payload(&mut invoices).await, Invoice(2));
    assert!(ready(&mut orders).is_none() && ready(&mut invoices).is_none(), "a type that is taken is no mismatch");
}

#[tokio::test]
async fn a_type_that_nobody_takes_is_an_error_on_both_sides() {
    let bus = Mem::new();
    let mut orders = subscribe::<Order>(&bus, "orders.*").await;
    let error = bus.publish("orders.created", Invoice(1)).await.expect_err("only orders are taken");
    let notice = orders.next().await.expect("open").expect_err("told as well");
    for error in [&error, &notice] {
        assert_eq!(error.kind(), ErrorKind::TypeMismatch);
        assert_eq!(error.subject().map(ToString::to_string).as_deref(), Some("orders.created"));
        let text = error.to_string();
        assert!(text.contains("types::Order") && text.contains("types::Invoice"), "{text}");
    }
    assert_eq!(bus.publish("elsewhere", Invoice(1)).await.expect("nobody at all is no error").subscribers, 0);
    bus.publish("orders.created", Order(2)).await.expect("published");
    assert_eq!(payload(&mut orders).await, Order(2), "the stream goes on");
}

#[tokio::test]
async fn notices_are_bounded_and_the_rest_is_counted() {
    let bus = Mem::new();
    let mut orders = subscribe::<Order>(&bus, "orders").await;
    for n in 0..20 {
        bus.publish("orders", Invoice(n)).await.expect_err("only orders are taken");
    }
    let mut notices = Vec::new();
    while let Some(notice) = ready(&mut orders) {
        notices.push(notice.expect_err("a notice").to_string());
    }
    assert_eq!(notices.len(), 16);
    assert!(notices[15].contains("4 more"), "{}", notices[15]);
    assert!(!notices[14].contains("more"));
}

#[tokio::test]
async fn bytes_are_a_type_like_any_other() {
    let bus = Mem::new();
    let _orders = subscribe::<Order>(&bus, "a").await;
    let error = bus.publish("a", Bytes::from_static(b"{}")).await.expect_err("encoded, but values are taken");
    assert_eq!(error.kind(), ErrorKind::TypeMismatch);
}

#[tokio::test]
async fn requests_and_messages_do_not_meet() {
    let bus = Mem::new();
    let mut requests: MemRequests<Order, u8> = bus.listen("a").await.expect("open");
    assert_eq!(bus.publish("a", Order(1)).await.expect("a responder is no subscriber").subscribers, 0);
    let error = Requester::<Order, u16>::request(&bus, "a", Order(1)).await.expect_err("answers are `u8`");
    let notice = requests.next().await.expect("open").expect_err("told as well");
    for error in [&error, &notice] {
        assert_eq!(error.kind(), ErrorKind::TypeMismatch);
        let text = error.to_string();
        assert!(text.contains("Order -> u8") && text.contains("Order -> u16"), "{text}");
    }
    let _orders = subscribe::<Order>(&bus, "b").await;
    let error = Requester::<Order, u8>::request(&bus, "b", Order(1)).await.expect_err("a subscriber does not answer");
    assert_eq!(error.kind(), ErrorKind::NoResponder);
}
