//! Many at a time: order, limits, failures, and what runs after a drop.

use std::pin::pin;
use std::sync::Arc;

use flux_core::Stage;
use flux_stage::{FanOut, MapEach, NoStages, Parallel, Race, RoundRobin, Route, StageExt};
use proptest::prelude::*;

use crate::double::{Act, Double, Fault, ms, poll_once};

fn indexes<E>(error: &flux_stage::FanOutError<E>) -> Vec<usize> {
    error.failures().iter().map(|failure| failure.index).collect()
}

#[tokio::test(start_paused = true)]
async fn a_fan_out_keeps_the_order_of_its_stages() {
    let slow = Double::new([Act::After(20)]);
    let fast = Double::new([Act::After(10)]);
    let out = FanOut::new([slow.map(|n| n + 1).boxed(), fast.map(|n| n + 2).boxed()]);
    assert_eq!(out.process(1).await.unwrap(), [2, 3]);
    assert_eq!(FanOut::<Double>::new([]).process(1).await.unwrap(), [0; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_a_fan_out_holds() {
    for (limit, peak) in [(0, 1), (2, 2), (9, 4)] {
        let double = Double::new([Act::After(5); 4]);
        let out = FanOut::new(vec![double.clone(); 4]).with_concurrency(limit);
        out.process(1).await.unwrap();
        assert_eq!((double.calls(), double.peak()), (4, peak));
    }
}

#[tokio::test(start_paused = true)]
async fn failing_fast_drops_what_still_runs() {
    let hanging = Double::new([Act::Hang]);
    let failing = Double::new([Act::FailAfter(5)]);
    let never = Double::default();
    let out = FanOut::new([hanging.clone(), failing, never.clone()]).with_concurrency(2);
    let error = out.process(1).await.unwrap_err();
    assert_eq!((indexes(&error), error.of()), (vec![1], 3));
    assert_eq!((hanging.calls(), hanging.running()), (1, 0));
    assert_eq!(never.calls(), 0, "a failure starts nothing new");
}

#[tokio::test(start_paused = true)]
async fn collecting_waits_for_all_and_reports_each_failure() {
    let failing = |after| Double::new([Act::FailAfter(after)]);
    let slow = Double::new([Act::After(30)]);
    let error = FanOut::new([failing(20), slow.clone(), failing(10)]).collect_errors().process(1).await.unwrap_err();
    assert_eq!(indexes(&error), [0, 2]);
    assert_eq!(slow.calls(), 1);
    assert_eq!(error.to_string(), "2 of 3 failed");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "Boom(0)");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_future_leaves_nothing_running() {
    let double = Double::new([Act::Hang; 9]);
    let out = FanOut::new(vec![double.clone(); 3]);
    let map = MapEach::new(double.clone()).with_concurrency(3);
    let race = Race::new(vec![double.clone(); 3]).unwrap();
    {
        let mut out = pin!(out.process(1));
        let mut map = pin!(map.process(vec![1, 2, 3, 4]));
        let mut race = pin!(race.process(1));
        assert!(poll_once(out.as_mut()).is_pending());
        assert!(poll_once(map.as_mut()).is_pending());
        assert!(poll_once(race.as_mut()).is_pending());
        assert_eq!(double.running(), 9);
    }
    assert_eq!(double.running(), 0);
    assert_eq!(double.calls(), 9, "nothing begins after the drop");
}

#[tokio::test(start_paused = true)]
async fn mapping_each_fails_fast_or_collects() {
    let script = [Act::After(50), Act::FailAfter(10), Act::Hang];
    let double = Double::new(script);
    let error = MapEach::new(double.clone()).process(vec![1, 2, 3]).await.unwrap_err();
    assert_eq!((indexes(&error), double.running()), (vec![1], 0));

    let double = Double::new([Act::After(50), Act::FailAfter(10), Act::FailAfter(5)]);
    let error = MapEach::new(double).collect_errors().process(vec![1, 2, 3]).await.unwrap_err();
    assert_eq!((indexes(&error), error.of()), (vec![1, 2], 3));

    let double = Double::new([Act::After(50), Act::Fail(7), Act::After(5)]);
    let results = MapEach::new(double).settled().process(vec![1, 2, 3]).await.unwrap();
    assert_eq!(results, [Ok(1), Err(Fault::Boom(7)), Ok(3)]);
}

#[tokio::test(start_paused = true)]
async fn parallel_aggregates_what_the_fan_out_makes() {
    let fan_out = || FanOut::new(vec![Double::default(); 3]);
    let sum = Parallel::new(fan_out(), |parts: Vec<u32>| Ok::<u32, flux_core::Failure>(parts.into_iter().sum()));
    assert_eq!(sum.process(2).await.unwrap(), 6);
    let broken = Parallel::new(FanOut::new([Double::new([Act::Fail(1)])]), |_| Ok::<(), flux_core::Failure>(()));
    assert_eq!(broken.process(2).await.unwrap_err().to_string(), "number 0 of 1 failed: Boom(1)");
}

#[tokio::test(start_paused = true)]
async fn the_first_success_wins_and_the_others_are_dropped() {
    let quick_failure = Double::new([Act::Fail(1)]);
    let winner = Double::new([Act::After(5)]);
    let loser = Double::new([Act::Hang]);
    let race = Race::new([quick_failure, winner, loser.clone()]).unwrap();
    assert_eq!(race.process(4).await, Ok(4));
    assert_eq!((loser.calls(), loser.running()), (1, 0));

    let race = Race::new([Double::new([Act::FailAfter(9)]), Double::new([Act::Fail(1)])]).unwrap();
    assert_eq!(indexes(&race.process(4).await.unwrap_err()), [0, 1]);
    assert_eq!(Race::<Double>::new([]).unwrap_err(), NoStages);
}

#[tokio::test]
async fn round_robin_takes_turns_and_refuses_to_be_empty() {
    let doubles = [Double::default(), Double::default(), Double::default()];
    let turns = RoundRobin::new(doubles.clone()).unwrap();
    for n in 0..7 {
        turns.process(n).await.unwrap();
    }
    assert_eq!(doubles.map(|double| double.seen()), [vec![0, 3, 6], vec![1, 4], vec![2, 5]]);
    assert_eq!(RoundRobin::<Double>::new([]).unwrap_err(), NoStages);
}

#[tokio::test]
async fn a_route_chooses_by_key() {
    let (even, other) = (Double::default(), Double::default());
    let route = Route::by(|n: &u32| n % 2).case(0, even.clone()).otherwise(other.clone());
    for n in 0..5 {
        route.process(n).await.unwrap();
    }
    assert_eq!((even.seen(), other.seen()), (vec![0, 2, 4], vec![1, 3]));
}

fn paused<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(future)
}

proptest! {
    #[test]
    fn every_input_has_exactly_one_result_in_its_place(
        items in prop::collection::vec((0_u64..50, any::<bool>()), 0..120),
        limit in 1_usize..150,
    ) {
        let running = Arc::new(Double::default());
        let stage = |(index, (after, succeeds)): (usize, (u64, bool))| {
            let gauge = Arc::clone(&running);
            async move {
                gauge.process(0).await.unwrap();
                tokio::time::sleep(ms(after)).await;
                if succeeds { Ok(index) } else { Err(index) }
            }
        };
        let input: Vec<_> = items.iter().copied().enumerate().collect();
        let map = MapEach::new(stage).with_concurrency(limit);
        let results = paused(map.settled().process(input.clone())).unwrap();
        let expected: Vec<_> =
            items.iter().enumerate().map(|(n, (_, succeeds))| if *succeeds { Ok(n) } else { Err(n) }).collect();
        prop_assert_eq!(&results, &expected);
        prop_assert_eq!(running.calls(), items.len());

        let failures: Vec<_> = expected.iter().filter_map(|result| result.err()).collect();
        match paused(map.collect_errors().process(input)) {
            Ok(outputs) => prop_assert_eq!(outputs, (0..items.len()).collect::<Vec<_>>()),
            Err(error) => prop_assert_eq!(indexes(&error), failures),
        }
    }

    #[test]
    fn at_most_so_many_run_at_a_time(count in 0_usize..100, limit in 1_usize..20) {
        let double = Double::new(vec![Act::After(1); count]);
        let map = MapEach::new(double.clone()).with_concurrency(limit);
        let input: Vec<u32> = (0..).take(count).collect();
        prop_assert_eq!(paused(map.process(input.clone())).unwrap(), input);
        prop_assert_eq!(double.peak(), limit.min(count));
    }
}
