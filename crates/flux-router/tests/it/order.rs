//! Concurrency: free hands only, shared subscription, and turns for equal keys.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use flux_core::{Failure, Message, header};
use flux_router::{Route, Router};
use tokio::sync::Semaphore;

use crate::double::{Did, Script, ack, idle};
use crate::start;

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
    idle().await;
    handle.pause("numbers").unwrap();
    idle().await;
    sender.send(script.delivery(2, 1)).unwrap();
    idle().await;
    assert_eq!(script.log().len(), 1, "not even the one that its worker was waiting for");
    handle.resume("numbers").unwrap();
    script.until(2).await;
    assert!(
        handle.pause("letters").unwrap_err().to_string().contains("numbers"),
        "the error names the routes there are"
    );
    handle.pause("numbers").unwrap();
    handle.stop();
    running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_its_turn_is_kept_alive() {
    let script = Script::default();
    let sender = script.subscription();
    for number in 1..=2 {
        sender.send(script.delivery(number, 1)).unwrap();
    }
    let slow = |_: Message<u64>| async {
        tokio::time::sleep(std::time::Duration::from_secs(15)).await;
        Ok::<(), Failure>(())
    };
    let route = Route::new("numbers.*", &script, slow).concurrency(2).ordered_by(|_: &Message<u64>| "one key");
    let (handle, running) = start(Router::new().add(route)).await;
    let log = script.until(5).await;
    assert!(log[..2].contains(&Did::Progress(1)) && log[..2].contains(&Did::Progress(2)), "after 10 s: {log:?}");
    assert_eq!(log[2..], [ack(1), Did::Progress(2), ack(2)], "15 s each, one after the other");
    handle.stop();
    running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_key_function_that_panics_is_a_failure_of_that_message_only() {
    let script = Script::default();
    let sender = script.subscription();
    for number in 1..=2 {
        sender.send(script.delivery(number, 1)).unwrap();
    }
    let ok = |_: Message<u64>| async { Ok::<(), Failure>(()) };
    let route = Route::new("numbers.*", &script, ok).ordered_by(|message: &Message<u64>| {
        assert_ne!(message.payload, 1, "no key");
        message.payload
    });
    let (handle, running) = start(Router::new().add(route)).await;
    let log = script.until(3).await;
    let Did::Published(letter) = &log[0] else { panic!("{log:?}") };
    assert_eq!(letter.headers.get(&header::ERROR_CLASS), Some("panic"));
    assert_eq!(log[1..], [ack(1), ack(2)]);
    handle.stop();
    let total = running.await.unwrap().unwrap().total();
    assert_eq!((total.failed_panic, total.dead_lettered, total.handled), (1, 1, 1));
}

#[tokio::test]
async fn the_time_that_handlers_were_busy_is_counted() {
    let script = Script::default();
    let sender = script.subscription();
    sender.send(script.delivery(1, 1)).unwrap();
    let spent = std::time::Duration::from_millis(20);
    let busy = move |_: Message<u64>| async move {
        let started = std::time::Instant::now();
        while started.elapsed() < spent {
            std::hint::spin_loop();
        }
        Ok::<(), Failure>(())
    };
    let (handle, running) = start(Router::new().route("numbers.*", &script, busy)).await;
    script.until(1).await;
    handle.stop();
    let duration = running.await.unwrap().unwrap().total().duration;
    assert!(duration >= spent, "{duration:?}");
}
