//! A service starts as a whole, with what it was told, and ends as a whole.

use std::sync::Arc;
use std::time::Duration;

use flux_core::{ErrorKind, Failure, Message, Publisher as _};
use flux_jetstream::ConsumerConfig;
use flux_nats::NatsConfig;
use flux_router::{Ladder, RequestRoute, Route, Router, State};
use tokio::sync::Notify;
use tokio::sync::mpsc::Sender;

use crate::{Order, Running, Site, next_of, told, within};

async fn ok(_: Message<Order>) -> Result<(), Failure> {
    Ok(())
}

async fn echo(order: Message<Order>) -> Result<Order, Failure> {
    Ok(order.payload)
}

#[tokio::test]
async fn a_mistake_in_one_route_keeps_all_from_starting() {
    let site = Site::start().await;
    let good = || Router::new().add(Route::new("orders.>", &site.stream, ok).queue_group("billing"));
    let nats = || Route::new("prices.>", &site.nats, ok).named("prices");
    for (router, kind, words) in [
        (good().route("", &site.nats, ok), ErrorKind::InvalidSubject, "empty"),
        (good().route("prices.>.x", &site.nats, ok), ErrorKind::InvalidSubject, "`>`"),
        (good().add(nats().concurrency(0)), ErrorKind::InvalidInput, "concurrency"),
        (good().add(nats().queue_group("")), ErrorKind::InvalidInput, "queue group"),
        (good().add(nats().max_run_time(Duration::ZERO)), ErrorKind::InvalidInput, "run time"),
        (good().add(nats().ladder(Ladder::new().with_attempts(0))), ErrorKind::InvalidInput, "ladder"),
        (good().add(nats().dead_letters("prices.dead")), ErrorKind::InvalidInput, "takes itself"),
        (good().respond("quotes.*", &site.nats, echo), ErrorKind::InvalidSubject, "wildcard"),
        (good().add(RequestRoute::new("quotes", &site.nats, echo).concurrency(0)), ErrorKind::InvalidInput, "quotes"),
    ] {
        let error = within(router.run()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "`{words}` is not in: {error}");
    }
    assert_eq!(site.stream.wire().info().await.unwrap().consumers, 0, "nothing was subscribed");
}

#[tokio::test]
async fn what_the_transport_refuses_is_an_error_that_names_the_route() {
    let site = Site::start().await;
    let odd = Route::new("orders.>", &site.stream, ok).named("odd").queue_group("no.consumer");
    let router = Router::new().add(odd);
    let handle = router.handle();
    let error = within(router.run()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("route `odd`"), "{error}");
    assert_eq!(handle.ready().await.unwrap_err().kind(), ErrorKind::Closed);
}

/// Says that it has begun, and waits until it may finish.
#[derive(Clone)]
struct Held {
    began: Sender<u64>,
    finish: Arc<Notify>,
}

async fn hold(order: Message<Order>, State(held): State<Held>) -> Result<(), Failure> {
    held.began.send(order.payload.id).await?;
    held.finish.notified().await;
    Ok(())
}

#[tokio::test]
async fn a_route_that_ends_stops_the_others_in_order() {
    let site = Site::start().await;
    let flights = site.another("flights", |config| config).await;
    let (began, mut hear) = told();
    let held = Held { began, finish: Arc::default() };
    let router = Router::new()
        .with_state(held.clone())
        .add(Route::new("flights.>", &flights, ok).named("flights"))
        .add(Route::new("orders.>", &site.stream, hold).named("orders").queue_group("billing"));
    let service = Running::start(router).await;
    for id in 0..2 {
        site.stream.publish("orders.new", Order { id }).await.unwrap();
    }
    assert_eq!(next_of(&mut hear).await, 0);

    site.stream.wire().jetstream().delete_stream("flights").await.unwrap();
    within(service.handle.stopping()).await;
    assert!(!service.task.is_finished(), "a handler is still at work");
    held.finish.notify_one();
    let error = within(service.task).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("route `flights`"), "{error}");

    let config = ConsumerConfig::durable("billing").with_filter("orders.>");
    let left = site.stream.wire().consumer(config).await.unwrap().info().await.unwrap();
    assert_eq!((left.delivered, left.ack_pending, left.pending), (1, 0, 1), "one finished, one not taken: {left:?}");
}

#[tokio::test]
async fn defaults_are_as_the_guide_says() {
    let site = Site::start().await;
    let service =
        Running::start(Router::new().add(Route::new("orders.>", &site.stream, ok).queue_group("billing"))).await;
    let client = site.nats.wire().client().clone();
    let consumer: async_nats::jetstream::consumer::PullConsumer =
        async_nats::jetstream::new(client).get_consumer_from_stream("billing", "orders").await.unwrap();
    let config = &consumer.cached_info().config;
    assert_eq!((config.ack_wait, config.max_deliver), (Duration::from_secs(30), -1));
    assert_eq!(Ladder::new().attempts, 10);
    assert_eq!(NatsConfig::new().request_timeout, Duration::from_secs(10));
    service.stop().await;
}
