//! What becomes of failures: retries with delays, in place or by the transport, panics, time limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use flux_core::{Failure, Message, Outcome, header};
use flux_router::{Ladder, Report, Route, Router};

use crate::double::{Did, Script, ack};
use crate::start;

/// Runs `handler` over these deliveries until `things` have been written down.
async fn run<H, Fut>(script: &Script, deliveries: Vec<(u64, u64)>, ladder: Ladder, things: usize, handler: H) -> Report
where
    H: Fn(Message<u64>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let sender = script.subscription();
    for (number, delivered) in deliveries {
        sender.send(script.delivery(number, delivered)).unwrap();
    }
    let router = Router::new().add(Route::new("numbers.*", script, handler).ladder(ladder));
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    script.until(things).await;
    handle.stop();
    running.await.unwrap().unwrap()
}

fn nak_delay(did: &Did) -> Duration {
    match did {
        Did::Settled(_, Outcome::NakAfter(delay)) => *delay,
        other => panic!("not a nak with a delay: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn success_is_acked_and_failure_is_nakked_with_a_growing_delay() {
    let script = Script::default();
    let report = run(&script, vec![(1, 1), (2, 1), (2, 4)], Ladder::new(), 3, |message| async move {
        if message.payload == 1 { Ok(()) } else { Err(Failure::retry("not now")) }
    })
    .await;
    let log = script.log();
    assert_eq!(log[0], ack(1));
    assert!((100..=200).contains(&nak_delay(&log[1]).as_millis()), "{log:?}");
    assert!((800..=1_600).contains(&nak_delay(&log[2]).as_millis()), "{log:?}");
    let metrics = &report.routes[0].metrics;
    assert_eq!((metrics.handled, metrics.failed_retry, metrics.retried, metrics.dead_lettered), (1, 2, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_says_how_long_is_heeded() {
    let script = Script::default();
    run(&script, vec![(1, 1)], Ladder::new(), 1, |_| async {
        Err(Failure::retry_after(Duration::from_secs(77), "busy"))
    })
    .await;
    assert_eq!(nak_delay(&script.log()[0]), Duration::from_secs(77));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_of_that_delivery_only() {
    let script = Script::default();
    let report = run(&script, vec![(1, 1), (2, 1)], Ladder::new(), 2, |message| async move {
        assert_ne!(message.payload, 1, "handler panics");
        Ok(())
    })
    .await;
    nak_delay(&script.log()[0]);
    assert_eq!(script.log()[1], ack(2));
    assert_eq!(report.routes[0].metrics.failed_panic, 1);
}

#[tokio::test(start_paused = true)]
async fn a_handler_over_its_time_is_dropped_and_tried_again() {
    let script = Script::default();
    let sender = script.subscription();
    sender.send(script.delivery(1, 1)).unwrap();
    let route = Route::new("numbers.*", &script, |_: Message<u64>| std::future::pending::<Result<(), Failure>>())
        .max_run_time(Duration::from_secs(25));
    let router = Router::new().add(route);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    let log = script.until(3).await;
    assert_eq!(log[..2], [Did::Progress(1), Did::Progress(1)], "a sign of life every third of 30 s, for 25 s");
    nak_delay(&log[2]);
    let times = script.times();
    assert_eq!((times[1] - times[0]).as_secs(), 10);
    handle.stop();
    assert_eq!(running.await.unwrap().unwrap().routes[0].metrics.failed_timeout, 1);
}

#[tokio::test(start_paused = true)]
async fn in_place_calls_come_before_the_transport_is_asked() {
    let script = Script::default();
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let report = run(&script, vec![(1, 1)], Ladder::new().with_in_place(3), 1, move |_| {
        let third = counted.fetch_add(1, SeqCst) == 2;
        async move { if third { Ok(()) } else { Err(Failure::retry("lost a race")) } }
    })
    .await;
    assert_eq!(script.log()[0], ack(1));
    assert_eq!((calls.load(SeqCst), report.total().retried), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn the_last_delivery_that_the_transport_makes_is_the_last_step() {
    let script = Script::default();
    let sender = script.subscription();
    for (number, delivered) in [(1, 2), (2, 3), (3, 3)] {
        let mut delivery = script.delivery(number, delivered).unwrap();
        delivery.metadata.max_deliver = Some(3);
        sender.send(Ok(delivery)).unwrap();
    }
    let router =
        Router::new().route("numbers.*", &script, |_: Message<u64>| async { Err::<(), _>(Failure::retry("not now")) });
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    let log = script.until(5).await;
    nak_delay(&log[0]);
    assert_eq!((&log[2], &log[4]), (&ack(2), &ack(3)), "acked once the dead letters are stored");
    assert_eq!(script.letters().iter().map(|letter| letter.payload).collect::<Vec<_>>(), [2, 3]);
    handle.stop();
    let total = running.await.unwrap().unwrap().total();
    assert_eq!((total.retried, total.dead_lettered), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn what_is_neither_stored_nor_delivered_again_does_not_hold_up_a_drain_and_counts_as_lost() {
    let script = Script::default();
    script.refuse_publishing(u32::MAX);
    let mut delivery = script.delivery(1, 3).unwrap();
    delivery.metadata.max_deliver = Some(3);
    script.subscription().send(Ok(delivery)).unwrap();
    let failing = |_: Message<u64>| async { Err::<(), _>(Failure::retry("not now")) };
    let router = Router::new().route("numbers.*", &script, failing);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert!(script.letters().is_empty() && handle.metrics().total().retried > 10);
    let asked = tokio::time::Instant::now();
    handle.stop();
    let total = running.await.unwrap().unwrap().total();
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    let log = script.log();
    let settled = log.iter().position(|did| *did != Did::Progress(1)).unwrap();
    assert!(settled > 10, "the transport was told all the while that somebody is at it: {log:?}");
    nak_delay(&log[settled]);
    assert_eq!((total.dead_lettered, total.lost), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_does_not_redeliver_gets_the_whole_ladder_in_place() {
    let bus = flux_mem::Mem::new();
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let router = Router::new().route("numbers.*", &bus, move |_: Message<u64>| {
        let tenth = counted.fetch_add(1, SeqCst) == 9;
        async move { if tenth { Ok(()) } else { Err(Failure::retry("not now")) } }
    });
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    let started = tokio::time::Instant::now();
    flux_core::Publisher::publish(&bus, "numbers.new", 1_u64).await.unwrap();
    handle.settled().await.unwrap();
    let took = started.elapsed().as_millis();
    assert!((51_100..=102_300).contains(&took), "nine delays from 100 ms to 25.6 s, lengthened: {took}");
    handle.stop();
    let total = running.await.unwrap().unwrap().total();
    assert_eq!((total.handled, total.retried, total.failed_retry), (1, 9, 9));
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_say_itself_what_becomes_of_the_delivery() {
    let script = Script::default();
    let sender = script.subscription();
    let wishes = [Outcome::Ack, Outcome::Nak, Outcome::NakAfter(Duration::from_secs(9)), Outcome::term("no use")];
    for number in 0..4 {
        sender.send(script.delivery(number, 1)).unwrap();
    }
    let answers = wishes.clone();
    let handler = move |message: Message<u64>| {
        let wish = answers[usize::try_from(message.payload).unwrap()].clone();
        async { Ok::<Outcome, Failure>(wish) }
    };
    let (handle, running) = start(Router::new().route("numbers.*", &script, handler)).await;
    let log = script.until(4).await;
    let expected: Vec<_> = (0..).zip(wishes).map(|(number, wish)| Did::Settled(number, wish)).collect();
    assert_eq!(log, expected, "at once only because it was asked for");
    handle.stop();
    let total = running.await.unwrap().unwrap().total();
    assert_eq!((total.handled, total.retried), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn attempts_from_before_a_message_was_published_again_count() {
    let script = Script::default();
    let sender = script.subscription();
    let again = Message::new("numbers.new", 1).unwrap().with_header("X-Retry-Count", "8").unwrap();
    sender.send(script.delivery_of(again.clone(), 1)).unwrap();
    sender.send(script.delivery_of(again, 2)).unwrap();
    let fails = |_: Message<u64>| async { Err::<(), _>(Failure::retry("not now")) };
    let (handle, running) = start(Router::new().route("numbers.*", &script, fails)).await;
    let log = script.until(3).await;
    assert!(nak_delay(&log[0]) >= Duration::from_millis(25_600), "the ninth attempt: {log:?}");
    assert_eq!(script.letters()[0].headers.get(&header::RETRY_COUNT), Some("10"));
    assert_eq!(log[2], ack(1));
    handle.stop();
    running.await.unwrap().unwrap();
}
