//! Mistakes in a route are errors that name it, before anything is subscribed.

use std::sync::Arc;
use std::time::Duration;

use flux_core::{ArcQueueSubscriber, ErrorKind, Failure, Message};
use flux_mem::{Mem, StreamConfig};
use flux_router::{Ladder, RequestRoute, Route, Router, State, Tokens};

use crate::digits::Digits;

async fn ok(_: Message<u64>) -> Result<(), Failure> {
    Ok(())
}

async fn answer(request: Message<u64>) -> Result<u64, Failure> {
    Ok(request.payload)
}

#[track_caller]
fn refused<S: Clone, L>(router: &Router<S, L>, parts: &[&str]) {
    let error = router.check().expect_err("a mistake");
    assert!(matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::InvalidSubject), "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "`{part}` is not in: {error}");
    }
}

#[tokio::test]
async fn each_mistake_is_named_with_its_route() {
    let bus = Mem::new();
    let route = || Route::new("orders.*", &bus, ok).named("orders");
    refused(&Router::new(), &["no routes"]);
    refused(&Router::new().route("", &bus, ok), &["route ``", "empty"]);
    refused(&Router::new().route("orders..x", &bus, ok), &["orders..x", "empty token"]);
    refused(&Router::new().add(route().concurrency(0)), &["route `orders`", "concurrency"]);
    refused(&Router::new().add(route().ladder(Ladder::new().with_attempts(0))), &["`orders`", "ladder"]);
    refused(&Router::new().add(route().ladder(Ladder::new().with_in_place(0))), &["`orders`", "ladder"]);
    refused(&Router::new().add(route().max_run_time(Duration::ZERO)), &["`orders`", "run time"]);
    refused(&Router::new().add(route().queue_group("")), &["`orders`", "queue group"]);
    refused(&Router::new().add(route().dead_letters("dlq.*")), &["`orders`", "wildcard"]);
    refused(&Router::new().add(route().dead_letters("orders.failed")), &["`orders`", "takes itself"]);
    refused(&Router::new().add(route().without_dead_letters().dead_letters("x")), &["`orders`", "publisher"]);
    let twice = Router::new().add(route().queue_group("g")).add(route().named("again").queue_group("g"));
    refused(&twice, &["route `again`", "queue group, `g`"]);
    let namesakes = Router::new().add(route()).add(Route::new("other", &bus, ok).named("orders"));
    refused(&namesakes, &["route `orders`", "same name"]);
    Router::new().route("orders.*", &bus, ok).route("orders.*", &bus, ok).check().unwrap();
    refused(&Router::new().respond("quotes.*", &bus, answer), &["request route `quotes.*`", "wildcard"]);
    refused(&Router::new().add(RequestRoute::new("q", &bus, answer).concurrency(0)), &["request route `q`"]);
    Router::new().add(RequestRoute::new("quotes.*", &bus, answer).with_wildcards()).check().unwrap();
}

#[tokio::test]
async fn a_queue_group_is_one_per_transport_and_type() {
    async fn text(_: Message<String>) -> Result<(), Failure> {
        Ok(())
    }
    let (bus, other) = (Mem::new(), Mem::new());
    let of = |bus: &Mem| Route::new("orders.*", bus, ok).queue_group("g");
    Router::new().add(of(&bus)).add(of(&other)).check().expect("two buses");
    Router::new().add(of(&bus)).add(Route::new("orders.*", &bus, text).queue_group("g")).check().expect("two types");
    refused(&Router::new().add(of(&bus)).add(of(&bus.clone())), &["queue group, `g`"]);
    let shared: ArcQueueSubscriber<u64> = Arc::new(bus.clone());
    let through_dyn = || Route::receiving("orders.*", &shared, ok).queue_group("g");
    refused(&Router::new().add(of(&bus)).add(through_dyn()), &["queue group, `g`"]);
    Router::new().add(of(&other)).add(through_dyn()).check().expect("two buses, one behind a pointer");

    let stream = || Mem::stream(StreamConfig::new("s", ["orders.*"])).unwrap().typed(Digits);
    let (one, two) = (stream(), stream());
    let of = |stream| Route::receiving("orders.*", stream, ok).queue_group("g");
    Router::new().add(of(&one)).add(of(&two)).check().expect("two streams");
    refused(&Router::new().add(of(&one)).add(of(&one.clone())), &["queue group, `g`"]);
}

#[tokio::test]
async fn a_handler_that_asks_for_more_tokens_than_there_are_is_refused() {
    async fn two(_: Message<u64>, _: Tokens<(String, u32)>, _: State<()>) -> Result<(), Failure> {
        Ok(())
    }
    refused(&Router::new().route("flights.*", &Mem::new(), two), &["flights.*", "2 tokens", "1 wildcards"]);
}

#[tokio::test]
async fn a_router_with_a_mistake_does_not_run() {
    let router = Router::new().route("", &Mem::new(), ok);
    let handle = router.handle();
    assert_eq!(router.run().await.unwrap_err().kind(), ErrorKind::InvalidSubject);
    assert!(handle.ready().await.is_err());
}
