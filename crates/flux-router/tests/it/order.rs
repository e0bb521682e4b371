//! Concurrency: free hands only, shared subscription, and turns for equal keys.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use flux_core::{Failure, Message};
use flux_router::{Route, Router};
use tokio::sync::Semaphore;

use crate::double::{Script, idle};

#[tokio::test(start_paused = true)]
async fn no_more_is_taken_than_there_are_free_hands() {
    let script = Script::default();
    let sender = script.subscription();
    for number in 0..100 {
        sender.send(script.delivery(number, 1)).unwrap();
    }
    let (gate, running_now) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let (gated, counted) = (Arc::clone(&gate), Arc::clone(&running_now));
    let route = Route::new("numbers.*", &script, move |_: Message<u64>| {
        let (gate, now) = (Arc::clone(&gated), Arc::clone(&counted));
        async move {
            now.fetch_add(1, SeqCst);
            gate.acquire().await.unwrap().forget();
            Ok::<(), Failure>(())
        }
    });
    let router = Router::new().add(route.concurrency(7));
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    idle().await;
    assert_eq!(running_now.load(SeqCst), 7);
    assert_eq!(handle.metrics().total().in_flight, 7);
    gate.add_permits(2);
    script.until(2).await;
    idle().await;
    assert_eq!(running_now.load(SeqCst), 9);
    gate.add_permits(1000);
    script.until(100).await;
    handle.stop();
    assert_eq!(running.await.unwrap().unwrap().total().handled, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_keys_take_turns_in_the_order_they_came() {
    let script = Script::default();
    let sender = script.subscription();
    for number in 0..600 {
        sender.send(script.delivery(number, 1)).unwrap();
    }
    let seen: Arc<Mutex<Vec<Vec<u64>>>> = Arc::new(Mutex::new(vec![Vec::new(); 6]));
    let busy: Arc<[AtomicUsize; 6]> = Arc::default();
    let (written, held) = (Arc::clone(&seen), Arc::clone(&busy));
    let route = Route::new("numbers.*", &script, move |message: Message<u64>| {
        let (seen, busy) = (Arc::clone(&written), Arc::clone(&held));
        async move {
            let key = usize::try_from(message.payload % 6).unwrap();
            assert_eq!(busy[key].fetch_add(1, SeqCst), 0, "two at once for key {key}");
            for _ in 0..message.payload % 5 {
                tokio::task::yield_now().await;
            }
            seen.lock().unwrap()[key].push(message.payload);
            busy[key].fetch_sub(1, SeqCst);
            Ok::<(), Failure>(())
        }
    });
    let router = Router::new().add(route.concurrency(16).ordered_by(|message: &Message<u64>| message.payload % 6));
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    script.until(600).await;
    handle.stop();
    assert_eq!(running.await.unwrap().unwrap().total().handled, 600);
    for numbers in &*seen.lock().unwrap() {
        assert_eq!(numbers.len(), 100);
        assert!(numbers.is_sorted(), "{numbers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_route_takes_nothing_until_it_is_resumed() {
    let script = Script::default();
    let sender = script.subscription();
    let router = Router::new()
        .add(Route::new("numbers.*", &script, |_: Message<u64>| async { Ok::<(), Failure>(()) }).named("numbers"));
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    sender.send(script.delivery(1, 1)).unwrap();
    script.until(1).await;
    handle.pause("numbers").unwrap();
    // The worker is already waiting for its next delivery; that one it still takes.
    sender.send(script.delivery(2, 1)).unwrap();
    script.until(2).await;
    sender.send(script.delivery(3, 1)).unwrap();
    idle().await;
    assert_eq!(script.log().len(), 2);
    handle.resume("numbers").unwrap();
    script.until(3).await;
    assert!(
        handle.pause("letters").unwrap_err().to_string().contains("numbers"),
        "the error names the routes there are"
    );
    handle.stop();
    running.await.unwrap().unwrap();
}
