//! The rate limit: what it lets through, who waits how long, and what changes at run time.

use std::pin::pin;
use std::time::Duration;

use flux_core::Stage;
use flux_stage::{Limiter, Rate, RateLimit};
use tokio::time::{Instant, advance, sleep};

use crate::double::{Double, Fault, ms, poll_once};

/// One call every 10 ms.
const RATE: u32 = 100;

fn is_limited(result: &Result<u32, Fault>) -> bool {
    matches!(result, Err(Fault::Limited(_)))
}

/// How many of `calls` are let through right now.
async fn passed(limit: &RateLimit<Double>, calls: u32) -> usize {
    let mut passed = 0;
    for n in 0..calls {
        passed += usize::from(limit.process(n).await.is_ok());
    }
    passed
}

#[tokio::test(start_paused = true)]
async fn the_burst_passes_at_once_and_the_rate_after_it() {
    for burst in [0, 1, 5] {
        let limit = RateLimit::new(Double::default(), Rate::per_second(RATE).with_burst(burst));
        assert_eq!(passed(&limit, 9).await, burst.max(1) as usize);
        advance(ms(10)).await;
        assert_eq!(passed(&limit, 9).await, 1);
        advance(ms(60_000)).await;
        assert_eq!(passed(&limit, 9).await, burst.max(1) as usize, "no more than the burst adds up");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_not_called_and_says_when_to_come_back() {
    let double = Double::default();
    let limit = RateLimit::new(double.clone(), Rate::new(3, ms(30)));
    assert_eq!(limit.process(1).await, Ok(1));
    advance(ms(4)).await;
    let Err(Fault::Limited(refused)) = limit.process(2).await else { panic!("let through") };
    assert_eq!((refused.retry_after(), double.calls()), (ms(6), 1));
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_are_served_in_order_and_at_the_rate() {
    let start = Instant::now();
    let limit = RateLimit::new(Double::default(), Rate::per_second(RATE)).with_wait(ms(1_000));
    let mut served = Vec::new();
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..5 {
        let limit = limit.clone();
        calls.spawn(async move { (limit.process(n).await, start.elapsed()) });
        tokio::task::yield_now().await;
    }
    while let Some(done) = calls.join_next().await {
        let (result, at) = done.unwrap();
        served.push((result.unwrap(), at.as_millis()));
    }
    assert_eq!(served.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    // Tokio's timers are exact to a millisecond, and late rather than early.
    for (n, at) in served {
        let due = u128::from(n) * 10;
        assert!((due..=due + 5).contains(&at), "call {n} at {at} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_would_be_too_long_does_not_begin() {
    let start = Instant::now();
    let limit = RateLimit::new(Double::default(), Rate::per_second(RATE)).with_wait(ms(9));
    assert_eq!(passed(&limit, 1).await, 1);
    assert!(is_limited(&limit.process(2).await));
    assert_eq!(start.elapsed(), Duration::ZERO);

    let limit = RateLimit::new(Double::default(), Rate::per_second(RATE)).with_wait(ms(25));
    assert_eq!(passed(&limit, 1).await, 1);
    let mut calls: Vec<_> = (0..5).map(|n| Box::pin(limit.process(n))).collect();
    let refused = calls.iter_mut().map(|call| usize::from(poll_once(call.as_mut()).is_ready())).sum::<usize>();
    assert_eq!(refused, 1, "the fifth would wait for 30 ms at least");
    let mut passed = 0;
    for call in calls.into_iter().take(4) {
        passed += usize::from(call.await.is_ok());
    }
    assert_eq!(passed, 2, "at 10 and 20 ms");
    assert!(start.elapsed() <= ms(30), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn nobody_pushes_in_before_those_who_wait() {
    let limiter = Limiter::new(Rate::per_second(RATE));
    limiter.try_take().unwrap();
    let mut first = pin!(limiter.take_within(ms(1_000)));
    assert!(poll_once(first.as_mut()).is_pending());
    advance(ms(10)).await;
    limiter.try_take().unwrap_err();
    first.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_leaves_the_line_takes_nothing() {
    let limiter = Limiter::new(Rate::per_second(RATE));
    limiter.try_take().unwrap();
    {
        let (mut head, mut tail) = (pin!(limiter.take_within(ms(900))), pin!(limiter.take_within(ms(900))));
        assert!(poll_once(head.as_mut()).is_pending() && poll_once(tail.as_mut()).is_pending());
    }
    advance(ms(10)).await;
    limiter.try_take().expect("the line is empty and one call is there");
}

#[tokio::test(start_paused = true)]
async fn a_new_rate_holds_from_now_on_for_those_who_wait_too() {
    let start = Instant::now();
    let limit = RateLimit::new(Double::default(), Rate::per_minute(1)).with_wait(Duration::MAX);
    assert_eq!(limit.process(1).await, Ok(1));
    let waiting = tokio::spawn({
        let limit = limit.clone();
        async move { limit.process(2).await }
    });
    sleep(ms(100)).await;
    limit.limiter().set_rate(Rate::per_second(RATE));
    assert_eq!(limit.limiter().rate(), Rate::per_second(RATE));
    assert_eq!(waiting.await.unwrap(), Ok(2));
    assert!(start.elapsed() < ms(120), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_change_lets_nobody_through_by_itself() {
    let limit = RateLimit::new(Double::default(), Rate::per_second(RATE).with_burst(5));
    assert_eq!(passed(&limit, 3).await, 3);
    for _ in 0..10 {
        limit.limiter().set_rate(Rate::per_second(RATE).with_burst(8));
    }
    assert_eq!(passed(&limit, 9).await, 2, "what was left of the first burst");
    advance(ms(80)).await;
    assert_eq!(passed(&limit, 9).await, 8, "the new burst");
    limit.limiter().set_rate(Rate::per_second(RATE).with_burst(1));
    assert_eq!(passed(&limit, 9).await, 0);
    advance(ms(500)).await;
    assert_eq!(passed(&limit, 9).await, 1, "the burst can shrink");
}

#[tokio::test(start_paused = true)]
async fn stages_can_share_a_limiter() {
    let limiter = Limiter::new(Rate::per_second(RATE).with_burst(2));
    let one = RateLimit::new(Double::default(), limiter.clone());
    let two = RateLimit::new(Double::default(), limiter);
    assert_eq!((passed(&one, 1).await, passed(&two, 9).await), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn no_rate_is_too_high_or_too_low() {
    for rate in [Rate::new(0, Duration::MAX), Rate::new(u32::MAX, Duration::ZERO), Rate::new(1, Duration::MAX)] {
        for burst in [1, u32::MAX] {
            let limit = RateLimit::new(Double::default(), rate.with_burst(burst));
            assert!(passed(&limit, 2).await >= 1, "{rate:?}");
            limit.limiter().set_rate(rate);
        }
    }
}
