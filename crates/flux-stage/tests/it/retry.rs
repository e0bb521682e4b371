//! Retry: how often, when, how long apart, and what is left at the end.

use std::error::Error;
use std::pin::pin;
use std::time::Duration;

use flux_core::{ErrorKind, Failure, FailureClass, RetryAfter, Stage};
use flux_stage::{Backoff, CircuitConfig, GaveUp, Retry, StageExt};
use tokio::time::Instant;

use crate::double::{Act, Double, Fault, ms, poll_once};

fn failing(times: u32) -> Double {
    Double::new((1..=times).map(Act::Fail))
}

#[tokio::test(start_paused = true)]
async fn success_ends_the_attempts() {
    let double = failing(2);
    let retry = Retry::new(double.clone()).with_attempts(5);
    assert_eq!(retry.process(7).await, Ok(7));
    assert_eq!(double.seen(), [7, 7, 7]);
}

#[tokio::test(start_paused = true)]
async fn the_attempts_are_bounded_and_each_error_is_kept() {
    for (attempts, calls) in [(0, 1), (1, 1), (3, 3)] {
        let double = failing(9);
        let error = Retry::new(double.clone()).with_attempts(attempts).process(1).await.unwrap_err();
        assert_eq!(double.calls(), calls);
        assert_eq!(error.why(), GaveUp::Attempts);
        let kept: Vec<_> = (1..).take(calls).map(Fault::Boom).collect();
        assert_eq!(error.errors(), kept);
        assert_eq!(error.source().map(ToString::to_string), kept.last().map(ToString::to_string));
        assert_eq!(error.clone().into_last().as_ref(), kept.last());
        assert_eq!(error.into_errors(), kept);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_not_worth_it_ends_the_attempts() {
    let double = Double::new([Act::Fail(1), Act::Fail(2), Act::Fail(3)]);
    let retry = Retry::new(double.clone()).when(|error: &Fault| *error != Fault::Boom(2)).with_attempts(9);
    let error = retry.process(1).await.unwrap_err();
    assert_eq!((double.calls(), error.why()), (2, GaveUp::Refused));
    assert_eq!(error.to_string(), "2 attempts failed, another would not help");
}

#[tokio::test(start_paused = true)]
async fn the_backoff_is_what_lies_between_attempts() {
    let start = Instant::now();
    let retry = Retry::new(failing(3)).with_attempts(4).with_backoff(Backoff::linear(ms(10)));
    assert_eq!(retry.process(1).await, Ok(1));
    assert_eq!(start.elapsed(), ms(10 + 20 + 30));
}

type Boxed = Box<dyn Error + Send + Sync>;

/// An error that says to come back after so many milliseconds, and nothing else.
fn busy(millis: u64) -> flux_core::Error {
    flux_core::Error::new(ErrorKind::Full, "busy").with_retry_after(ms(millis))
}

/// How long two failures of this stage keep a retry that would come back after 10 ms and after 20 ms by itself.
async fn kept<S: Stage<u32, Error: 'static>>(failing: S) -> Duration {
    let start = Instant::now();
    let _ = Retry::new(failing).with_backoff(Backoff::linear(ms(10))).process(1).await;
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn the_pause_is_as_long_as_the_error_says() {
    async fn fails<E: From<flux_core::Error> + Send + 'static>(_: u32) -> Result<(), E> {
        Err(busy(500).into())
    }
    assert_eq!(kept(fails::<flux_core::Error>).await, ms(1_000));
    assert_eq!(kept(fails::<Failure>).await, ms(1_000));
    assert_eq!(kept(fails::<Boxed>).await, ms(1_000));
    assert_eq!(kept(fails::<flux_core::Error>.named("store")).await, ms(1_000));
    assert_eq!(kept(fails::<Failure>.named("store")).await, ms(1_000));
    assert_eq!(kept(fails::<flux_core::Error>.retry().with_attempts(1)).await, ms(1_000));
    assert_eq!(kept(|_: u32| async { Err::<(), _>(Failure::retry_after(ms(500), "busy")) }).await, ms(1_000));
    assert_eq!(kept(|_: u32| async { Err::<(), Boxed>(Box::new(RetryAfter::new(ms(500)))) }).await, ms(1_000));
    // An open circuit refuses the second call, and lets the third one through as a probe.
    let circuit = CircuitConfig::new().with_failures(1).with_reset_after(ms(500));
    let guarded = (|_: u32| async { Err::<(), _>(Failure::retry("down")) }).circuit_breaker(circuit);
    assert_eq!(kept(guarded).await, ms(10 + 490));
}

#[tokio::test(start_paused = true)]
async fn the_backoff_is_the_least_pause_whatever_the_error_says() {
    assert_eq!(kept(|_: u32| async { Err::<(), _>(busy(15)) }).await, ms(15 + 20));
    assert_eq!(kept(|_: u32| async { Err::<(), _>(flux_core::Error::new(ErrorKind::Full, "")) }).await, ms(10 + 20));
    assert_eq!(kept(|_: u32| async { Err::<(), _>("no flux error") }).await, ms(10 + 20));
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_the_deadline_has_no_time_for_is_not_begun() {
    for (told, after, why) in [(49, 98, GaveUp::Attempts), (50, 50, GaveUp::Deadline), (99, 0, GaveUp::Deadline)] {
        let start = Instant::now();
        let failing = move |_: u32| async move { Err::<(), _>(busy(told)) };
        let retry = Retry::new(failing).with_backoff(Backoff::none()).with_deadline(ms(99));
        let error = retry.process(1).await.unwrap_err();
        assert_eq!((error.why(), start.elapsed()), (why, ms(after)), "told {told} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn advice_of_ones_own_is_taken_instead() {
    let start = Instant::now();
    let told = |error: &Fault| if let Fault::Boom(n) = error { Some(ms(u64::from(*n) * 100)) } else { None };
    let retry = Retry::new(failing(2)).when(|_: &Fault| true);
    assert_eq!(retry.with_backoff(Backoff::none()).process(1).await, Ok(1));
    assert_eq!(start.elapsed(), ms(0));
    let retry = Retry::new(failing(2)).with_backoff(Backoff::none()).advised_by(told).when(|_: &Fault| true);
    assert_eq!(retry.process(1).await, Ok(1));
    assert_eq!(start.elapsed(), ms(100 + 200));
    let retry = Retry::new(|_: u32| async { Err::<(), _>(busy(500)) }).with_backoff(Backoff::none());
    let _ = retry.advised_by(|_: &flux_core::Error| None).process(1).await;
    assert_eq!(start.elapsed(), ms(300));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_cuts_off_an_attempt() {
    let start = Instant::now();
    let double = Double::new([Act::Fail(1), Act::Hang]);
    let retry = Retry::new(double.clone()).with_backoff(Backoff::constant(ms(10))).with_deadline(ms(100));
    let error = retry.process(1).await.unwrap_err();
    assert_eq!((error.why(), error.errors().len()), (GaveUp::Deadline, 1));
    assert_eq!(start.elapsed(), ms(100));
    assert_eq!(double.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_pause_past_the_deadline_does_not_begin() {
    let start = Instant::now();
    let double = failing(9);
    let retry =
        Retry::new(double.clone()).with_attempts(9).with_backoff(Backoff::constant(ms(40))).with_deadline(ms(100));
    let error = retry.process(1).await.unwrap_err();
    assert_eq!((error.why(), double.calls()), (GaveUp::Deadline, 3));
    assert_eq!(start.elapsed(), ms(80));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_without_end_is_none() {
    let retry = Retry::new(failing(1)).with_deadline(Duration::MAX);
    assert_eq!(retry.process(1).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_retry_leaves_nothing_running() {
    let double = Double::new([Act::Hang]);
    let retry = Retry::new(double.clone());
    {
        let mut call = pin!(retry.process(1));
        assert!(poll_once(call.as_mut()).is_pending());
        assert_eq!(double.running(), 1);
    }
    tokio::time::sleep(ms(60_000)).await;
    assert_eq!((double.running(), double.calls()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_handler_keeps_the_class_of_its_last_failure() {
    async fn handler(_: u32) -> Result<(), Failure> {
        Err(Failure::permanent("no such order"))
    }
    let worth_it = |failure: &Failure| failure.class() != FailureClass::Permanent;
    let error = Retry::new(handler).when(worth_it).process(1).await.unwrap_err();
    assert_eq!(error.errors().len(), 1);
    let failure = error.into_failure();
    assert_eq!(failure.class(), FailureClass::Permanent);
    assert_eq!(failure.to_string(), "1 attempt failed, another would not help: no such order");
}

#[test]
fn each_shape_of_backoff_grows_as_it_says() {
    let pauses = |backoff: &Backoff| (1..=4).map(|failed| backoff.pause(failed).as_millis()).collect::<Vec<_>>();
    assert_eq!(pauses(&Backoff::none()), [0; 4]);
    assert_eq!(pauses(&Backoff::constant(ms(5))), [5; 4]);
    assert_eq!(pauses(&Backoff::linear(ms(5))), [5, 10, 15, 20]);
    let exponential = Backoff::exponential(ms(5)).with_jitter(0.0);
    assert_eq!(pauses(&exponential), [5, 10, 20, 40]);
    assert_eq!(pauses(&exponential.clone().with_factor(3.0)), [5, 15, 45, 135]);
    assert_eq!(pauses(&exponential.clone().with_factor(0.1)), [5; 4]);
    assert_eq!(pauses(&exponential.with_max(ms(12))), [5, 10, 12, 12]);
    assert_eq!(pauses(&Backoff::own(|failed| ms(u64::from(failed * failed)))), [1, 4, 9, 16]);
}

#[test]
fn a_backoff_that_grows_beyond_time_stays_at_the_end_of_it() {
    assert_eq!(Backoff::exponential(ms(1)).with_jitter(0.0).pause(u32::MAX), Duration::MAX);
    assert_eq!(Backoff::linear(Duration::MAX).pause(2), Duration::MAX);
    assert_eq!(Backoff::exponential(ms(1)).with_max(ms(9)).with_jitter(0.0).pause(u32::MAX), ms(9));
}

#[test]
fn jitter_takes_a_share_of_the_pause_and_a_seed_repeats_it() {
    let seed = 7;
    let pauses = |share| {
        let backoff = Backoff::constant(ms(1_000)).with_jitter(share).with_seed(seed);
        (0..200).map(move |_| backoff.pause(1)).collect::<Vec<_>>()
    };
    let half = pauses(0.5);
    assert!(half.iter().all(|pause| (ms(500)..=ms(1_000)).contains(pause)), "seed {seed}: {half:?}");
    assert!(half.iter().any(|pause| *pause < ms(600)) && half.iter().any(|pause| *pause > ms(900)), "seed {seed}");
    assert!(pauses(1.0).iter().any(|pause| *pause < ms(100)), "seed {seed}");
    assert!(pauses(9.0).iter().all(|pause| *pause <= ms(1_000)), "seed {seed}");
    assert_eq!(half, pauses(0.5));
}
