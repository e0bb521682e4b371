//! What becomes of a message whose handler is wrapped in stages: the class of the failure inside decides.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use flux_core::{Consumer, Failure, FailureClass, Handler, Message, Publisher, Stage, header};
use flux_mem::{ConsumerConfig, Mem, MemStream, StreamConfig};
use flux_router::{Ladder, Report, Route, Router};
use flux_stage::{Backoff, CircuitConfig, Rate, StageExt};
use tokio::time::{Instant, sleep};

type Text = Message<Bytes>;

/// Handles one message to its end. The report, the dead letters, and how long it took.
async fn settle(handler: impl Handler<Bytes> + 'static) -> (Report, Vec<Text>, Duration) {
    let stream = Mem::stream(StreamConfig::new("texts", ["texts.>"])).unwrap();
    let letters = Mem::stream(StreamConfig::new("letters", ["dlq.>"])).unwrap();
    let second = Duration::from_secs(1);
    let route = Route::new("texts.*", &stream, handler)
        .ladder(Ladder::new().with_attempts(3).with_delays(second, second))
        .dead_letters_through(letters.clone());
    let router = Router::new().add(route);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    let started = Instant::now();
    stream.publish("texts.new", Bytes::from_static(b"x")).await.unwrap();
    handle.settled().await.unwrap();
    let took = started.elapsed();
    handle.stop();
    (running.await.unwrap().unwrap(), all(&letters).await, took)
}

async fn all(letters: &MemStream) -> Vec<Text> {
    let consumer = letters.consumer(ConsumerConfig::ephemeral()).unwrap();
    let batch = consumer.fetch(9, Duration::ZERO).await.unwrap();
    batch.into_iter().map(|delivery| delivery.unwrap().into_message()).collect()
}

/// Fails with what `fail` makes of the number of the call; counts the calls.
fn failing<F>(fail: F) -> (impl Fn(Text) -> std::future::Ready<Result<(), Failure>> + Clone, Arc<AtomicU32>)
where
    F: Fn(u32) -> Option<Failure> + Clone,
{
    let calls = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&calls);
    let handler = move |_: Text| std::future::ready(fail(counter.fetch_add(1, SeqCst)).map_or(Ok(()), Err));
    (handler, calls)
}

#[tokio::test(start_paused = true)]
async fn a_retried_handler_that_succeeds_in_the_end_is_acked() {
    let (handler, calls) = failing(|call| (call < 2).then(|| Failure::retry("glitch")));
    let (report, letters, _) = settle(handler.retry().with_backoff(Backoff::none())).await;
    assert_eq!((report.total().handled, report.total().retried, letters.len()), (1, 0, 0));
    assert_eq!(calls.load(SeqCst), 3, "all in one delivery");
}

#[tokio::test(start_paused = true)]
async fn a_retried_handler_that_keeps_failing_climbs_the_ladder() {
    let (handler, calls) = failing(|_| Some(Failure::retry("away")));
    let (report, letters, took) = settle(handler.retry().with_attempts(2).with_backoff(Backoff::none())).await;
    assert_eq!(calls.load(SeqCst), 6, "twice in each of three deliveries");
    assert_eq!((report.total().retried, report.total().dead_lettered), (2, 1));
    let error = letters[0].headers.get(&header::ERROR);
    assert_eq!(error, Some("2 attempts failed, no attempt is left: away"));
    assert!(took >= Duration::from_secs(2), "the ladder's delays, {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_retried_handler_is_not_tried_again_when_its_failure_is_for_good() {
    let (handler, calls) = failing(|_| Some(Failure::permanent("no such account")));
    let hopeless = |failure: &Failure| failure.class() != FailureClass::Permanent;
    let (report, letters, _) = settle(handler.retry().when(hopeless).named("book")).await;
    assert_eq!(calls.load(SeqCst), 1);
    assert_eq!((report.total().failed_permanent, report.total().dead_lettered), (1, 1));
    let error = "stage `book` failed: 1 attempt failed, another would not help: no such account";
    assert_eq!(letters[0].headers.get(&header::ERROR), Some(error));
    assert_eq!(letters[0].headers.get(&header::ERROR_CLASS), Some("permanent"));
}

#[tokio::test(start_paused = true)]
async fn a_retried_handler_may_drop_the_message_or_say_when_to_come_back() {
    let (handler, _) = failing(|_| Some(Failure::drop("stale")));
    let (report, letters, _) = settle(handler.retry().with_attempts(1)).await;
    assert_eq!((report.total().failed_drop, letters.len()), (1, 0));

    let (handler, _) = failing(|call| (call == 0).then(|| Failure::retry_after(Duration::from_secs(60), "busy")));
    let (report, _, took) = settle(handler.retry().with_attempts(1)).await;
    assert_eq!((report.total().handled, took.as_secs()), (1, 60));
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_sends_the_message_back_for_as_long_as_it_is_open() {
    let (handler, calls) = failing(|call| (call == 0).then(|| Failure::retry("away")));
    let config = CircuitConfig::new().with_failures(1).with_reset_after(Duration::from_secs(30));
    let (report, letters, took) = settle(handler.circuit_breaker(config)).await;
    assert_eq!((report.total().handled, report.total().retried, letters.len()), (1, 2, 0));
    assert_eq!(calls.load(SeqCst), 2, "the second delivery met an open circuit");
    assert!((30..=32).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_handler_over_its_time_limit_is_retried() {
    let calls = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&calls);
    let slow = move |_: Text| {
        let call = counter.fetch_add(1, SeqCst);
        async move {
            if call == 0 {
                sleep(Duration::from_secs(10)).await;
            }
            Ok::<(), Failure>(())
        }
    };
    let (report, letters, took) = settle(slow.timeout(Duration::from_secs(2))).await;
    assert_eq!((report.total().handled, report.total().failed_retry, letters.len()), (1, 1, 0));
    assert!((3..=4).contains(&took.as_secs()), "two of the limit and one or two of the ladder, {took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_limit_refuses_comes_back_when_there_is_room() {
    let (handler, calls) = failing(|_| None);
    let limited = handler.rate_limit(Rate::new(1, Duration::from_secs(20)));
    limited.process(Message::new("texts.first", Bytes::new()).unwrap()).await.unwrap();
    let (report, letters, took) = settle(limited).await;
    assert_eq!((report.total().handled, report.total().retried, letters.len()), (1, 1, 0));
    assert_eq!((calls.load(SeqCst), took.as_secs()), (2, 20));
}
