//! Stopping: nothing new is taken, what was taken is finished or withheld, publishers are flushed last.

use std::error::Error as _;
use std::iter::successors;
use std::sync::Arc;
use std::time::Duration;

use flux_core::{Error, ErrorKind, Failure, Message};
use flux_router::{Handle, Report, Router, SecondSignal};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use crate::double::{Did, Script, ack, idle, subject};

type Running = JoinHandle<flux_core::Result<Report>>;

#[tokio::test(start_paused = true)]
async fn a_drain_finishes_what_was_taken_and_flushes_last() {
    let script = Script::default();
    let sender = script.subscription();
    for number in 1..=3 {
        sender.send(script.delivery(number, 1)).unwrap();
    }
    let go = Arc::new(Notify::new());
    let started = Arc::new(Notify::new());
    let (gate, signal) = (Arc::clone(&go), Arc::clone(&started));
    let router = Router::new().route("numbers.*", &script, move |_: Message<u64>| {
        let (gate, signal) = (Arc::clone(&gate), Arc::clone(&signal));
        async move {
            signal.notify_one();
            gate.notified().await;
            Ok::<(), Failure>(())
        }
    });
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(router.run_until(stopped));
    started.notified().await;
    stop.send(()).unwrap();
    idle().await;
    assert!(script.log().is_empty(), "the handler is not cut off");
    go.notify_one();
    let report = running.await.unwrap().unwrap();
    assert_eq!(script.log(), [ack(1), Did::Flushed], "two and three were not taken");
    assert!(report.is_drained());
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_until_the_last_settlements_are_taken() {
    let script = Script::confirming();
    let sender = script.subscription();
    sender.send(script.delivery(1, 1)).unwrap();
    let route = flux_router::Route::new("numbers.*", &script, async |_: Message<u64>| Ok::<(), Failure>(()));
    let router = Router::new().add(route.without_dead_letters());
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    script.until(1).await;
    handle.stop();
    running.await.unwrap().unwrap();
    assert_eq!(script.log(), [ack(1), Did::Confirmed, Did::Flushed], "the handler may have published over it, too");
}

#[tokio::test(start_paused = true)]
async fn what_outlives_the_drain_is_withheld_not_nakked() {
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let script = Script::default();
    let sender = script.subscription();
    sender.send(script.delivery(1, 1)).unwrap();
    let router = Router::new().drain_for(Duration::from_secs(5)).route("numbers.*", &script, move |_: Message<u64>| {
        let held = Arc::clone(&held);
        async move {
            std::future::pending::<()>().await;
            drop(held);
            Ok::<(), Failure>(())
        }
    });
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    idle().await;
    handle.stop();
    let report = running.await.unwrap().unwrap();
    assert_eq!(script.log(), [Did::Flushed]);
    assert_eq!(Arc::strong_count(&alive), 1, "the handler is gone before `run` returns");
    assert_eq!((report.withheld, report.is_drained()), (1, false));
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_cuts_the_drain_short() {
    let script = Script::default();
    let sender = script.subscription();
    sender.send(script.delivery(1, 1)).unwrap();
    let router =
        Router::new().route("numbers.*", &script, |_: Message<u64>| std::future::pending::<Result<(), Failure>>());
    let handle = router.handle();
    let signals = async {
        handle.ready().await.unwrap();
        idle().await;
        SecondSignal::when(tokio::time::sleep(Duration::from_secs(2)))
    };
    let started = tokio::time::Instant::now();
    let report = router.run_until(signals).await.unwrap();
    assert_eq!(started.elapsed().as_secs(), 2, "not the 30 s of a drain");
    assert_eq!(report.withheld, 1);
}

/// A router whose one handler never ends, its future of signals, and the handle.
async fn hangs_until(signals: impl Future<Output: Into<SecondSignal>> + Send + 'static) -> (Handle, Running) {
    let script = Script::default();
    let sender = script.subscription();
    sender.send(script.delivery(1, 1)).unwrap();
    let hangs = |_: Message<u64>| std::future::pending::<Result<(), Failure>>();
    let router = Router::new().route("numbers.*", &script, hangs);
    let handle = router.handle();
    let running = tokio::spawn(router.run_until(signals));
    handle.ready().await.unwrap();
    idle().await;
    (handle, running)
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_cuts_a_drain_short_that_the_program_asked_for() {
    let signals = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        SecondSignal::when(tokio::time::sleep(Duration::from_secs(2)))
    };
    let started = tokio::time::Instant::now();
    let (handle, running) = hangs_until(signals).await;
    handle.stop();
    assert_eq!(running.await.unwrap().unwrap().withheld, 1);
    assert_eq!(started.elapsed().as_secs(), 5, "the first signal asks for what is under way, the second for haste");
}

#[tokio::test(start_paused = true)]
async fn a_first_signal_after_a_stop_leaves_the_drain_its_time() {
    let started = tokio::time::Instant::now();
    let (handle, running) = hangs_until(tokio::time::sleep(Duration::from_secs(3))).await;
    handle.stop();
    assert_eq!(running.await.unwrap().unwrap().withheld, 1);
    assert_eq!(started.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_route_that_fails_stops_the_others_and_its_error_is_returned() {
    let (good, bad) = (Script::default(), Script::default());
    let kept = good.subscription();
    let ends = bad.subscription();
    let denied = Error::new(ErrorKind::Rejected, "no permission").with_operation("subscribe");
    bad.refuse_subscription(denied.with_subject(subject("numbers.bad")).with_source(std::io::Error::other("code 7")));
    let ok = |_: Message<u64>| async { Ok::<(), Failure>(()) };
    let router = Router::new().route("numbers.good", &good, ok).route("numbers.bad", &bad, ok);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    kept.send(good.delivery(1, 1)).unwrap();
    good.until(1).await;
    drop(ends);
    let error = running.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Rejected, Some("subscribe")));
    assert_eq!(error.subject(), Some(&subject("numbers.bad")));
    assert_eq!(error.to_string(), "route `numbers.bad`: subscribe `numbers.bad`: no permission");
    let causes: Vec<_> = successors(error.source(), |cause| (*cause).source()).map(ToString::to_string).collect();
    assert_eq!(causes, ["code 7"], "each level says what it knows, once");
    assert_eq!(good.log(), [ack(1), Did::Flushed]);
}

#[tokio::test(start_paused = true)]
async fn a_route_that_fails_lets_the_others_finish_what_they_took() {
    let (good, bad) = (Script::default(), Script::default());
    let (kept, ends) = (good.subscription(), bad.subscription());
    bad.refuse_subscription(Error::new(ErrorKind::Rejected, "no permission"));
    for number in 1..=2 {
        kept.send(good.delivery(number, 1)).unwrap();
    }
    let slow = |_: Message<u64>| async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        Ok::<(), Failure>(())
    };
    let router = Router::new().route("numbers.good", &good, slow).route("numbers.bad", &bad, slow);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    idle().await;
    drop(ends);
    handle.stopping().await;
    assert!(good.log().is_empty(), "the first is being handled");
    assert!(running.await.unwrap().unwrap_err().to_string().contains("no permission"));
    assert_eq!(good.log(), [ack(1), Did::Flushed], "finished, settled, flushed; the second was not taken");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_cannot_be_made_is_an_error_at_once() {
    let script = Script::default();
    script.refuse_subscription(Error::new(ErrorKind::Unavailable, "busy").with_retry_after(Duration::from_secs(3)));
    let router = Router::new().route("numbers.*", &script, |_: Message<u64>| async { Ok::<(), Failure>(()) });
    let handle = router.handle();
    let error = router.run().await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3)));
    assert!(error.to_string().contains("numbers.*"), "{error}");
    assert!(handle.ready().await.unwrap_err().to_string().contains("did not start"));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_router_settles_nothing() {
    let script = Script::default();
    let sender = script.subscription();
    sender.send(script.delivery(1, 1)).unwrap();
    let router =
        Router::new().route("numbers.*", &script, |_: Message<u64>| std::future::pending::<Result<(), Failure>>());
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    idle().await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    idle().await;
    assert!(sender.is_closed(), "the subscription is gone with the router");
    assert!(script.log().is_empty());
    assert!(handle.ready().await.is_err(), "nobody waits for a router that is gone");
}
