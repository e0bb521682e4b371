//! Hedge: when it calls again, whose answer counts, and what is dropped.

use std::pin::pin;

use flux_core::Stage;
use flux_stage::Hedge;
use tokio::time::Instant;

use crate::double::{Act, Double, Fault, ms, poll_once};

#[tokio::test(start_paused = true)]
async fn a_fast_answer_needs_no_second_call() {
    let double = Double::new([Act::After(19)]);
    assert_eq!(Hedge::new(double.clone(), ms(20)).process(1).await, Ok(1));
    assert_eq!(double.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_first_success_counts_and_the_other_call_is_dropped() {
    for (first, second, at) in [(Act::Hang, Act::After(5), 25), (Act::After(30), Act::Hang, 30)] {
        let start = Instant::now();
        let double = Double::new([first, second]);
        assert_eq!(Hedge::new(double.clone(), ms(20)).process(1).await, Ok(1));
        assert_eq!((start.elapsed(), double.calls(), double.running()), (ms(at), 2, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_counts_when_nothing_else_is_in_flight() {
    let start = Instant::now();
    let double = Double::new([Act::FailAfter(30), Act::After(50)]);
    assert_eq!(Hedge::new(double, ms(20)).process(1).await, Ok(1));
    assert_eq!(start.elapsed(), ms(70));

    let double = Double::new([Act::FailAfter(10)]);
    assert_eq!(Hedge::new(double.clone(), ms(20)).process(1).await, Err(Fault::Boom(0)));
    assert_eq!(double.calls(), 1);

    let double = Double::new([Act::FailAfter(30), Act::FailAfter(30)]);
    assert_eq!(Hedge::new(double.clone(), ms(20)).process(1).await, Err(Fault::Boom(0)));
    assert_eq!(start.elapsed(), ms(70 + 10 + 50));
}

#[tokio::test(start_paused = true)]
async fn the_number_of_calls_is_bounded() {
    for (most, expected) in [(0, 1), (1, 1), (2, 2), (4, 4)] {
        let double = Double::new(vec![Act::Hang; 9]);
        let stage = Hedge::new(double.clone(), ms(20)).with_calls(most);
        assert!(tokio::time::timeout(ms(1_000), stage.process(1)).await.is_err());
        assert_eq!((double.calls(), double.running()), (expected, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_hedge_drops_all_its_calls() {
    let double = Double::new(vec![Act::Hang; 3]);
    let stage = Hedge::new(double.clone(), ms(20)).with_calls(3);
    {
        let mut call = pin!(stage.process(1));
        for running in 1..=3 {
            assert!(poll_once(call.as_mut()).is_pending());
            assert_eq!(double.running(), running);
            tokio::time::sleep(ms(20)).await;
        }
    }
    assert_eq!(double.running(), 0);
}
