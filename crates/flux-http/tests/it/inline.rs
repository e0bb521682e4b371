//! Requests are handled on the task that brings them, and everything a queue would promise holds.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flux_codec::Json;
use flux_core::{ArcResponder, BoxFuture, Failure, Message, Responder, Result, Typed};
use flux_http::{HttpServer, HttpServerConfig};
use flux_router::{RequestRoute, Router};
use tokio::sync::{Semaphore, mpsc};
use tokio::task;

use crate::{Answered, is_pending, post, within};

type Bus = Typed<HttpServer, Json>;

/// Has the task go on until those it spawned have done what they can.
async fn settle() {
    for _ in 0..10 {
        task::yield_now().await;
    }
}

async fn which_task(_: Message<u32>) -> Result<String, Failure> {
    Ok(task::id().to_string())
}

#[tokio::test]
async fn a_request_stays_on_its_task() -> Result<()> {
    let serve: [fn(Bus) -> BoxFuture<'static, ()>; 3] = [
        |bus| Box::pin(async move { Responder::<u32, String>::serve(&bus, "a", which_task).await.expect("serves") }),
        |bus| {
            let bus: ArcResponder<u32, String> = Arc::new(bus);
            Box::pin(async move { bus.serve("a", which_task).await.expect("serves") })
        },
        |bus| Box::pin(async move { drop(Router::new().add(RequestRoute::new("a", &bus, which_task)).run().await) }),
    ];
    for (way, serve) in serve.into_iter().enumerate() {
        let server = HttpServer::default();
        tokio::spawn(serve(server.clone().typed(Json)));
        settle().await;
        let asking = tokio::spawn(async move { (task::id(), post(&server, "/a", &[], "1").await) });
        let (task, answer) = within(asking).await.expect("no panic");
        assert_eq!(answer.body, format!("\"{task}\""), "way {way}");
    }
    Ok(())
}

/// A handler that says when it is called, and waits to be let through.
#[derive(Clone)]
struct Gate {
    called: mpsc::Sender<u32>,
    open: Arc<Semaphore>,
    inside: Arc<AtomicUsize>,
}

impl Gate {
    fn new() -> (Self, mpsc::Receiver<u32>) {
        let (called, calls) = mpsc::channel(16);
        (Self { called, open: Arc::new(Semaphore::new(0)), inside: Arc::default() }, calls)
    }

    async fn pass(self, request: Message<u32>) -> Result<u32, Failure> {
        assert_eq!(self.inside.fetch_add(1, Ordering::Relaxed), 0, "one at a time");
        self.called.try_send(request.payload).expect("room");
        self.open.acquire().await.expect("never closed").forget();
        self.inside.fetch_sub(1, Ordering::Relaxed);
        self.called.try_send(request.payload + 100).expect("room");
        Ok(request.payload)
    }
}

/// A server with a queue for one, and a task that serves it through the gate.
async fn gated() -> (HttpServer, task::JoinHandle<Result<()>>, Gate, mpsc::Receiver<u32>) {
    let server = HttpServer::new(HttpServerConfig::new().with_capacity(1));
    let (gate, calls) = Gate::new();
    let (bus, handler) = (server.clone().typed(Json), gate.clone());
    let serving = tokio::spawn(async move {
        Responder::<u32, u32>::serve(&bus, "a", move |request| handler.clone().pass(request)).await
    });
    settle().await;
    (server, serving, gate, calls)
}

#[tokio::test]
async fn some_wait_and_more_are_429() {
    let (server, _serving, gate, mut calls) = gated().await;
    let (mut first, mut second) = (pin!(post(&server, "/a", &[], "1")), pin!(post(&server, "/a", &[], "2")));
    assert!(is_pending(first.as_mut()).await, "it is handled");
    assert!(is_pending(second.as_mut()).await, "it waits");
    assert_eq!(post(&server, "/a", &[], "3").await.status.as_u16(), 429);
    gate.open.add_permits(2);
    for asked in [first, second] {
        assert_eq!(within(asked).await.status.as_u16(), 200);
    }
    let mut order = Vec::new();
    while let Ok(call) = calls.try_recv() {
        order.push(call);
    }
    assert_eq!(order, [1, 101, 2, 102]);
    gate.open.add_permits(1);
    assert_eq!(within(post(&server, "/a", &[], "4")).await.status.as_u16(), 200, "there is room again");
}

#[tokio::test]
async fn a_handler_outlives_its_requester() {
    let (server, _serving, gate, mut calls) = gated().await;
    {
        let mut gone = pin!(post(&server, "/a", &[], "1"));
        assert!(is_pending(gone.as_mut()).await);
        let mut never = pin!(post(&server, "/a", &[], "2"));
        assert!(is_pending(never.as_mut()).await);
    }
    assert_eq!(calls.recv().await, Some(1));
    let mut next = pin!(post(&server, "/a", &[], "3"));
    assert!(is_pending(next.as_mut()).await, "the first is still being handled");
    gate.open.add_permits(2);
    assert_eq!(within(next).await.status.as_u16(), 200);
    let rest = [calls.recv().await, calls.recv().await, calls.recv().await];
    assert_eq!(rest, [Some(101), Some(3), Some(103)], "who left the queue was not handled");
}

#[tokio::test]
async fn who_waits_when_the_responder_leaves_is_503() {
    let (server, serving, gate, _calls) = gated().await;
    let (mut first, mut second) = (pin!(post(&server, "/a", &[], "1")), pin!(post(&server, "/a", &[], "2")));
    assert!(is_pending(first.as_mut()).await && is_pending(second.as_mut()).await);
    serving.abort();
    assert_eq!(within(second).await.status.as_u16(), 503);
    assert_eq!(post(&server, "/a", &[], "3").await.status.as_u16(), 404);
    gate.open.add_permits(1);
    assert_eq!(within(first).await.status.as_u16(), 200, "what was begun is answered");
}

#[tokio::test]
async fn a_draining_server_answers_who_waits() -> Result<()> {
    let (server, serving, gate, _calls) = gated().await;
    let (mut first, mut second) = (pin!(post(&server, "/a", &[], "1")), pin!(post(&server, "/a", &[], "2")));
    assert!(is_pending(first.as_mut()).await && is_pending(second.as_mut()).await);
    server.drain();
    settle().await;
    assert!(!serving.is_finished(), "there is something left to answer");
    gate.open.add_permits(2);
    for asked in [first, second] {
        assert_eq!(within(asked).await.status.as_u16(), 200);
    }
    within(serving).await.expect("no panic")
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_is_cut_short_ends_the_call() -> Result<()> {
    let server = HttpServer::default();
    let bus = server.clone().typed(Json);
    let hang = |_: Message<u32>| std::future::pending::<Result<u32, Failure>>();
    let router = Router::new().drain_for(Duration::from_secs(2)).add(RequestRoute::new("a", &bus, hang));
    let (handle, running) = (router.handle(), tokio::spawn(router.run()));
    handle.ready().await?;
    let asking = tokio::spawn(async move { post(&server, "/a", &[], "1").await });
    settle().await;
    let started = tokio::time::Instant::now();
    handle.stop();
    let report = running.await.expect("no panic")?;
    assert_eq!((started.elapsed().as_secs(), report.withheld), (2, 1));
    let answer: Answered = asking.await.expect("no panic");
    assert_eq!((answer.status.as_u16(), started.elapsed().as_secs()), (500, 2), "at once, not at the answer timeout");
    Ok(())
}

#[tokio::test]
async fn a_paused_route_keeps_requests_and_refuses_them_when_it_stops() -> Result<()> {
    let server = HttpServer::default();
    let bus = server.clone().typed(Json);
    let echo = async |request: Message<u32>| Ok::<_, Failure>(request.payload);
    let router = Router::new().add(RequestRoute::new("a", &bus, echo));
    let (handle, running) = (router.handle(), tokio::spawn(router.run()));
    handle.ready().await?;
    handle.pause("a")?;
    let mut kept = pin!(post(&server, "/a", &[], "1"));
    assert!(is_pending(kept.as_mut()).await);
    handle.resume("a")?;
    assert_eq!(within(kept).await.status.as_u16(), 200);
    handle.pause("a")?;
    let mut kept = pin!(post(&server, "/a", &[], "1"));
    assert!(is_pending(kept.as_mut()).await);
    handle.stop();
    assert_eq!(within(kept).await.status.as_u16(), 503);
    let total = within(running).await.expect("no panic")?.total();
    assert_eq!((total.handled, total.in_flight), (1, 0));
    Ok(())
}
