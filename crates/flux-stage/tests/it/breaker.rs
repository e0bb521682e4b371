//! The circuit breaker: when it opens, what it lets through, when it closes, and who hears of it.

use std::pin::pin;
use std::sync::{Arc, Mutex};

use flux_core::{Error, ErrorKind, Stage};
use flux_stage::{Circuit, CircuitBreaker, CircuitConfig, CircuitOpen, CircuitState};
use tokio::time::{advance, sleep};

use crate::double::{Act, Double, Fault, ms, poll_once};

const RESET: std::time::Duration = ms(1_000);

fn config() -> CircuitConfig {
    CircuitConfig::new().with_failures(3).with_reset_after(RESET)
}

fn is_refused(result: &Result<u32, Fault>) -> bool {
    matches!(result, Err(Fault::Open(_)))
}

/// Runs one call with each act.
async fn run(breaker: &CircuitBreaker<Double>, double: &Double, acts: impl IntoIterator<Item = Act>) {
    for act in acts {
        double.then([act]);
        let _ = breaker.process(1).await;
    }
}

/// An open breaker whose reset time has passed.
async fn half_open(config: CircuitConfig) -> (CircuitBreaker<Double>, Double) {
    let double = Double::default();
    let breaker = CircuitBreaker::new(double.clone(), config);
    run(&breaker, &double, [Act::Fail(1), Act::Fail(2), Act::Fail(3)]).await;
    assert_eq!(breaker.circuit().state(), CircuitState::Open);
    advance(RESET).await;
    assert_eq!(breaker.circuit().state(), CircuitState::HalfOpen);
    (breaker, double)
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_open_it_and_a_success_starts_the_count_again() {
    let double = Double::default();
    let breaker = CircuitBreaker::new(double.clone(), config());
    run(&breaker, &double, [Act::Fail(1), Act::Fail(2), Act::Echo, Act::Fail(3), Act::Fail(4)]).await;
    assert_eq!(breaker.circuit().state(), CircuitState::Closed);
    run(&breaker, &double, [Act::Fail(5)]).await;
    assert_eq!(breaker.circuit().state(), CircuitState::Open);
}

#[tokio::test(start_paused = true)]
async fn open_it_refuses_without_a_call_and_says_for_how_long() {
    let double = Double::default();
    let breaker = CircuitBreaker::new(double.clone(), config());
    run(&breaker, &double, [Act::Fail(1), Act::Fail(2), Act::Fail(3)]).await;
    advance(ms(400)).await;
    let Err(Fault::Open(refused)) = breaker.process(1).await else { panic!("let through") };
    assert_eq!((refused.retry_after(), double.calls()), (ms(600), 3));
}

#[tokio::test(start_paused = true)]
async fn the_reset_time_decides_when_a_probe_goes_through() {
    let double = Double::default();
    let breaker = CircuitBreaker::new(double.clone(), config().with_reset_after(ms(50)));
    run(&breaker, &double, [Act::Fail(1), Act::Fail(2), Act::Fail(3)]).await;
    advance(ms(49)).await;
    assert!(is_refused(&breaker.process(1).await));
    advance(ms(1)).await;
    assert_eq!(breaker.process(1).await, Ok(1));
    assert_eq!(breaker.circuit().state(), CircuitState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_failed_probe_opens_it_for_another_reset_time() {
    let (breaker, double) = half_open(config()).await;
    run(&breaker, &double, [Act::Fail(4)]).await;
    assert_eq!(breaker.circuit().state(), CircuitState::Open);
    advance(ms(999)).await;
    assert!(is_refused(&breaker.process(1).await));
}

#[tokio::test(start_paused = true)]
async fn it_closes_after_as_many_successes_as_it_needs() {
    let (breaker, double) = half_open(config().with_successes(3)).await;
    run(&breaker, &double, [Act::Echo, Act::Echo]).await;
    assert_eq!(breaker.circuit().state(), CircuitState::HalfOpen);
    run(&breaker, &double, [Act::Echo]).await;
    assert_eq!(breaker.circuit().state(), CircuitState::Closed);
}

#[tokio::test(start_paused = true)]
async fn no_more_probes_are_out_than_there_may_be() {
    for probes in [1, 2, 5] {
        let (breaker, double) = half_open(config().with_probes(probes).with_successes(100)).await;
        double.then(vec![Act::Hang; 5]);
        let mut calls: Vec<_> = (0..8).map(|_| Box::pin(breaker.process(1))).collect();
        let refused = calls.iter_mut().filter_map(|call| match poll_once(call.as_mut()) {
            std::task::Poll::Ready(result) => Some(is_refused(&result)),
            std::task::Poll::Pending => None,
        });
        assert_eq!(refused.filter(|refused| *refused).count(), 8 - probes as usize);
        assert_eq!(double.running(), probes as usize);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_probe_gives_its_place_back() {
    let (breaker, double) = half_open(config()).await;
    for _ in 0..3 {
        double.then([Act::Hang]);
        let mut probe = pin!(breaker.process(1));
        assert!(poll_once(probe.as_mut()).is_pending());
        assert!(is_refused(&breaker.process(1).await));
    }
    assert_eq!((double.running(), breaker.circuit().state()), (0, CircuitState::HalfOpen));
    assert_eq!(breaker.process(1).await, Ok(1));
    assert_eq!(breaker.circuit().state(), CircuitState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_panics_gives_its_place_back() {
    let (breaker, double) = half_open(config()).await;
    double.then([Act::Panic]);
    let probe = breaker.clone();
    assert!(tokio::spawn(async move { probe.process(1).await }).await.unwrap_err().is_panic());
    assert_eq!(breaker.process(1).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_result_from_before_the_change_says_nothing_about_what_came_after() {
    let double = Double::new([Act::FailAfter(5_000), Act::After(5_000)]);
    let breaker = CircuitBreaker::new(double.clone(), config().with_successes(2));
    let (mut late_failure, mut late_success) = (Box::pin(breaker.process(1)), Box::pin(breaker.process(2)));
    assert!(poll_once(late_failure.as_mut()).is_pending() && poll_once(late_success.as_mut()).is_pending());
    run(&breaker, &double, [Act::Fail(1), Act::Fail(2), Act::Fail(3)]).await;
    sleep(RESET).await;
    run(&breaker, &double, [Act::Echo]).await;
    assert_eq!(late_success.await, Ok(2));
    late_failure.await.unwrap_err();
    assert_eq!(breaker.circuit().state(), CircuitState::HalfOpen, "one success of two, no failure");
}

#[tokio::test(start_paused = true)]
async fn errors_that_do_not_count_are_answers() {
    let double = Double::default();
    let breaker = CircuitBreaker::new(double.clone(), config()).when(|error: &Fault| *error != Fault::Boom(404));
    for fault in [1, 2, 404, 3, 4] {
        double.then([Act::Fail(fault)]);
        breaker.process(1).await.unwrap_err();
    }
    assert_eq!(breaker.circuit().state(), CircuitState::Closed);
    double.then([Act::Fail(5)]);
    breaker.process(1).await.unwrap_err();
    assert_eq!(breaker.circuit().state(), CircuitState::Open);
}

#[tokio::test(start_paused = true)]
async fn by_rate_it_opens_at_the_share_once_there_are_calls_enough() {
    let by_rate = || CircuitConfig::new().with_failure_rate(0.5, ms(1_000), 4);
    let double = Double::default();
    let breaker = CircuitBreaker::new(double.clone(), by_rate());
    run(&breaker, &double, [Act::Fail(1), Act::Fail(2), Act::Fail(3)]).await;
    assert_eq!(breaker.circuit().state(), CircuitState::Closed, "three calls are too few");
    run(&breaker, &double, [Act::Fail(4)]).await;
    assert_eq!(breaker.circuit().state(), CircuitState::Open);

    let double = Double::default();
    let breaker = CircuitBreaker::new(double.clone(), by_rate());
    run(&breaker, &double, [Act::Echo, Act::Echo, Act::Echo, Act::Fail(1), Act::Fail(2)]).await;
    assert_eq!(breaker.circuit().state(), CircuitState::Closed, "two of five");
    run(&breaker, &double, [Act::Fail(3)]).await;
    assert_eq!(breaker.circuit().state(), CircuitState::Open, "three of six");
}

#[tokio::test(start_paused = true)]
async fn by_rate_what_left_the_window_is_forgotten() {
    let double = Double::default();
    let breaker = CircuitBreaker::new(double.clone(), CircuitConfig::new().with_failure_rate(0.5, ms(1_000), 4));
    run(&breaker, &double, [Act::Fail(1), Act::Fail(2), Act::Fail(3)]).await;
    advance(ms(1_001)).await;
    run(&breaker, &double, [Act::Fail(4)]).await;
    assert_eq!(breaker.circuit().state(), CircuitState::Closed);
    advance(ms(899)).await;
    run(&breaker, &double, [Act::Fail(5), Act::Fail(6), Act::Fail(7)]).await;
    assert_eq!(breaker.circuit().state(), CircuitState::Open, "the fourth is still in the window");
}

#[tokio::test(start_paused = true)]
async fn by_rate_a_closed_circuit_starts_from_nothing() {
    let config = CircuitConfig::new().with_failure_rate(0.5, ms(60_000), 3).with_reset_after(RESET);
    let (breaker, double) = half_open(config).await;
    run(&breaker, &double, [Act::Echo]).await;
    assert_eq!(breaker.circuit().state(), CircuitState::Closed);
    run(&breaker, &double, [Act::Fail(4), Act::Fail(5)]).await;
    assert_eq!(breaker.circuit().state(), CircuitState::Closed, "the three failures before it opened are gone");
}

#[tokio::test(start_paused = true)]
async fn each_change_is_told_once() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let config = config().with_on_change(move |from, to| tell.lock().unwrap().push((from, to)));
    let (breaker, double) = half_open(config).await;
    run(&breaker, &double, [Act::Fail(4)]).await;
    advance(RESET).await;
    run(&breaker, &double, [Act::Echo, Act::Echo]).await;
    let (closed, half, open) = (CircuitState::Closed, CircuitState::HalfOpen, CircuitState::Open);
    assert_eq!(*told.lock().unwrap(), [(closed, open), (open, half), (half, open), (open, half), (half, closed)]);
}

#[tokio::test(start_paused = true)]
async fn stages_can_share_a_circuit() {
    let circuit = Circuit::new(config().with_failures(1));
    let one = CircuitBreaker::new(Double::new([Act::Fail(1)]), circuit.clone());
    let two = CircuitBreaker::new(Double::default(), circuit);
    one.process(1).await.unwrap_err();
    assert!(is_refused(&two.process(1).await));
}

#[test]
fn a_refusal_is_worth_a_retry_later() {
    fn of(refusal: CircuitOpen) -> Error {
        refusal.into()
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let breaker = CircuitBreaker::new(Double::new([Act::Fail(1)]), config().with_failures(1));
        breaker.process(1).await.unwrap_err();
        let Err(Fault::Open(refusal)) = breaker.process(1).await else { panic!("let through") };
        let error = of(refusal);
        assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Unavailable, Some(RESET)));
    });
}
