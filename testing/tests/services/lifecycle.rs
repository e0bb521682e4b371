//! A service starts as a whole, with what it was told, and ends as a whole.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use flux_codec::Json;
use flux_core::{ErrorKind, Failure, Message, Publisher as _, RemoteError, Requester as _, Typed};
use flux_jetstream::ConsumerConfig;
use flux_nats::{Nats, NatsConfig};
use flux_router::{Handle, Ladder, Report, RequestRoute, Route, Router, State};
use futures_util::StreamExt as _;
use tokio::sync::mpsc::Sender;
use tokio::sync::{Notify, oneshot};

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

/// Says that it has begun, and ends with what it has to say once the service is to stop.
#[derive(Clone)]
struct Last {
    bus: Bus,
    began: Sender<u64>,
    handle: Handle,
}

async fn answer_last(order: Message<Order>, State(last): State<Last>) -> Result<Order, Failure> {
    last.began.send(order.payload.id).await?;
    last.handle.stopping().await;
    Ok(order.payload)
}

async fn publish_last(order: Message<Order>, State(last): State<Last>) -> Result<(), Failure> {
    last.began.send(order.payload.id).await?;
    last.handle.stopping().await;
    last.bus.publish("prices.last", order.payload).await?;
    Ok(())
}

type Bus = Typed<Nats, Json>;

/// A program whose `main` returns as soon as its router does, and gets its turn before any other task: nothing runs after that.
fn program(
    url: &str,
    began: Sender<u64>,
    add: fn(Router<Last>, &Bus) -> Router<Last>,
) -> (oneshot::Receiver<Handle>, thread::JoinHandle<Report>) {
    let (url, (tell, started)) = (url.to_owned(), oneshot::channel());
    let main = thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().event_interval(1).build().unwrap().block_on(async {
            let bus = Nats::connect(&url, NatsConfig::new()).await.unwrap().typed(Json);
            let router = Router::new();
            let handle = router.handle();
            let last = Last { bus: bus.clone(), began, handle: handle.clone() };
            let ready = async {
                handle.ready().await.unwrap();
                tell.send(handle.clone()).unwrap();
            };
            tokio::join!(add(router.with_state(last), &bus).run(), ready).0.unwrap()
        })
    });
    (started, main)
}

async fn end(handle: Handle, main: thread::JoinHandle<Report>) {
    handle.stop();
    let report = within(tokio::task::spawn_blocking(|| main.join().unwrap())).await.unwrap();
    assert!(report.is_drained(), "{report:?}");
}

#[tokio::test]
async fn the_last_answers_arrive_although_the_program_ends_with_its_router() {
    let site = Site::start().await;
    let (began, mut hear) = told();
    let (started, main) = program(site.server.url(), began, |router, bus| router.respond("quotes", bus, answer_last));
    let handle = within(started).await.unwrap();
    let ask = |id| {
        let nats = site.nats.clone();
        tokio::spawn(async move { nats.request("quotes", Order { id }).await.map(|Order { id }| id) })
    };
    let taken = ask(1);
    assert_eq!(next_of(&mut hear).await, 1);
    let waiting = ask(2);
    site.nats.wire().flush().await.unwrap();
    end(handle, main).await;
    assert_eq!(within(taken).await.unwrap().unwrap(), 1);
    let refused = within(waiting).await.unwrap().unwrap_err();
    assert_eq!(refused.remote().map(RemoteError::code), Some("503"), "{refused}");
}

#[tokio::test]
async fn what_was_published_last_arrives_although_the_program_ends_with_its_router() {
    let site = Site::start().await;
    let client = async_nats::connect(site.server.url()).await.unwrap();
    let mut prices = client.subscribe("prices.last").await.unwrap();
    client.flush().await.unwrap();
    let (began, mut hear) = told();
    let (started, main) = program(site.server.url(), began, |router, bus| {
        router.add(Route::new("prices.asked", bus, publish_last).without_dead_letters())
    });
    let handle = within(started).await.unwrap();
    site.nats.publish("prices.asked", Order { id: 3 }).await.unwrap();
    assert_eq!(next_of(&mut hear).await, 3);
    end(handle, main).await;
    let price = within(prices.next()).await.unwrap();
    assert_eq!(price.payload, r#"{"id":3}"#);
}
