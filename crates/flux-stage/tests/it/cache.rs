//! Cache and Distinct: what is remembered, for how long, and what a failure leaves behind.

use std::pin::pin;

use flux_core::{Failure, Handler, Message, Stage};
use flux_stage::{Cache, Distinct};
use tokio::time::{advance, sleep, timeout};

use crate::double::{Act, Double, Fault, ms, poll_once};

#[tokio::test(start_paused = true)]
async fn a_cache_answers_for_a_key_it_knows() {
    let double = Double::default();
    let cache = Cache::new(double.clone(), |n: &u32| n % 10, 100);
    assert_eq!((cache.process(1).await, cache.process(11).await, cache.process(2).await), (Ok(1), Ok(1), Ok(2)));
    assert_eq!(double.seen(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_cache_keeps_no_error() {
    let double = Double::new([Act::Fail(1)]);
    let cache = Cache::new(double.clone(), |n: &u32| *n, 100);
    assert_eq!(cache.process(1).await, Err(Fault::Boom(1)));
    assert_eq!(cache.process(1).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_cache_is_bounded_by_count_and_by_time() {
    let double = Double::default();
    let cache = Cache::new(double.clone(), |n: &u32| *n, 2).with_time(ms(100));
    for n in [1, 2, 3, 1, 3] {
        cache.process(n).await.unwrap();
    }
    assert_eq!(double.seen(), [1, 2, 3, 1], "three pushed one out");
    advance(ms(99)).await;
    cache.process(3).await.unwrap();
    assert_eq!(double.calls(), 4);
    advance(ms(1)).await;
    cache.process(3).await.unwrap();
    assert_eq!(double.calls(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_cache_of_none_keeps_none() {
    let double = Double::default();
    let cache = Cache::new(double.clone(), |n: &u32| *n, 0);
    cache.process(1).await.unwrap();
    cache.process(1).await.unwrap();
    assert_eq!(double.calls(), 2);
}

fn distinct(double: &Double) -> Distinct<Double, u32, impl Fn(&u32) -> Option<u32> + Send + Sync + use<>> {
    Distinct::new(double.clone(), |n: &u32| Some(n % 10).filter(|key| *key != 0))
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_does_not_run_and_what_has_no_key_always_does() {
    let double = Double::default();
    let distinct = distinct(&double);
    assert_eq!((distinct.process(1).await, distinct.process(11).await), (Ok(Some(1)), Ok(None)));
    assert_eq!((distinct.process(10).await, distinct.process(20).await), (Ok(Some(10)), Ok(Some(20))));
    assert_eq!(double.seen(), [1, 10, 20]);
}

#[tokio::test(start_paused = true)]
async fn the_redelivery_after_a_failure_is_no_duplicate() {
    let double = Double::new([Act::Fail(1)]);
    let distinct = distinct(&double);
    assert_eq!(distinct.process(1).await, Err(Fault::Boom(1)));
    assert_eq!(distinct.process(1).await, Ok(Some(1)));
    assert_eq!(distinct.process(1).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn while_a_key_runs_another_waits_to_see_how_it_ends() {
    let double = Double::new([Act::After(10), Act::FailAfter(10), Act::After(10)]);
    let distinct = distinct(&double);
    assert_eq!(tokio::join!(distinct.process(1), distinct.process(1)), (Ok(Some(1)), Ok(None)));
    let both = tokio::join!(distinct.process(2), distinct.process(2));
    assert_eq!(both, (Err(Fault::Boom(0)), Ok(Some(2))));
    assert_eq!((double.seen(), double.peak()), (vec![1, 2, 2], 1));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_did_not_succeed() {
    let double = Double::new([Act::Hang]);
    let distinct = distinct(&double);
    let mut second = pin!(distinct.process(1));
    {
        let mut first = pin!(distinct.process(1));
        assert!(poll_once(first.as_mut()).is_pending());
        assert!(timeout(ms(100), second.as_mut()).await.is_err());
    }
    assert_eq!(second.await, Ok(Some(1)));
}

#[tokio::test(start_paused = true)]
async fn distinct_is_bounded_by_count_and_by_time() {
    let double = Double::default();
    let distinct = distinct(&double).with_count(2).with_time(ms(100));
    for n in [1, 2, 3] {
        assert_eq!(distinct.process(n).await, Ok(Some(n)));
    }
    assert_eq!(distinct.process(3).await, Ok(None));
    assert_eq!(distinct.process(1).await, Ok(Some(1)), "three pushed it out");
    sleep(ms(100)).await;
    assert_eq!(distinct.process(1).await, Ok(Some(1)));
}

#[test]
fn a_handler_stays_a_handler() {
    async fn on_number(_: Message<u32>) -> Result<(), Failure> {
        Ok(())
    }
    fn check(_: &impl Handler<u32>) {}
    check(&Distinct::new(on_number, |message: &Message<u32>| Some(message.payload)));
}
