//! Waiting for everything that was published, and all that this caused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use flux_core::{ErrorKind, Failure, Message, Publisher as _, header};
use flux_mem::Mem;
use flux_router::{Router, State};

use crate::double::Script;

#[derive(Clone)]
struct Chain {
    bus: Mem,
    handled: Arc<AtomicU64>,
}

/// Publishes two messages for each it gets, until there are eight generations.
async fn split(message: Message<u32>, State(chain): State<Chain>) -> Result<(), Failure> {
    tokio::task::yield_now().await;
    let generation = message.payload;
    if generation < 8 {
        for _ in 0..2 {
            chain.bus.publish(&format!("generation.{}", generation + 1), generation + 1).await?;
        }
    }
    tokio::task::yield_now().await;
    chain.handled.fetch_add(1, SeqCst);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settled_waits_for_what_was_caused_too() {
    for _ in 0..20 {
        let chain = Chain { bus: Mem::new(), handled: Arc::default() };
        let mut router = Router::new().with_state(chain.clone());
        for generation in 0..=8 {
            router = router.route(&format!("generation.{generation}"), &chain.bus, split);
        }
        let handle = router.handle();
        let running = tokio::spawn(router.run());
        handle.ready().await.unwrap();
        chain.bus.publish("generation.0", 0_u32).await.unwrap();
        handle.settled().await.unwrap();
        assert_eq!(chain.handled.load(SeqCst), 511);
        handle.stop();
        assert_eq!(running.await.unwrap().unwrap().total().handled, 511);
    }
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_cannot_tell_is_named() {
    let script = Script::default();
    let _kept = script.subscription();
    let router = Router::new().route("numbers.*", &script, |_: Message<u64>| async { Ok::<(), Failure>(()) });
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    let error = handle.settled().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("numbers.*"), "{error}");
    handle.stop();
    running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_publishes_carries_on_the_work() {
    let bus = Mem::new();
    let (first, last) = (bus.clone(), Arc::new(std::sync::Mutex::new(None)));
    let kept = Arc::clone(&last);
    let router = Router::new()
        .route("first", &bus, move |_: Message<u64>| {
            let bus = first.clone();
            async move { bus.publish("second", 2_u64).await.map(drop).map_err(Failure::from) }
        })
        .route("second", &bus, move |message: Message<u64>| {
            *kept.lock().unwrap() = Some(message.headers);
            async { Ok::<(), Failure>(()) }
        });
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    bus.send(Message::new("first", 1_u64).unwrap().with_id("order-1").unwrap()).await.unwrap();
    handle.settled().await.unwrap();
    let headers = last.lock().unwrap().take().unwrap();
    assert_eq!(headers.get(&header::CORRELATION_ID), Some("order-1"));
    assert_eq!(headers.get(&header::CAUSATION_ID), Some("order-1"));
    handle.stop();
    running.await.unwrap().unwrap();
}
