//! The limiter: what two threads take from a bucket, who waits in line, and what a change of the rate does to both.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::Quota;
use governor::clock::Clock;
use governor::nanos::Nanos;
use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

use self::bucket::Bucket;
use self::limiter::Limiter;
use self::rate::Rate;

#[path = "../../../src/resilience/limit/bucket.rs"]
mod bucket;
#[expect(unreachable_pub, reason = "the library makes it public")]
#[path = "../../../src/resilience/limit/limiter.rs"]
mod limiter;
#[allow(dead_code, unreachable_pub, reason = "the library makes it public")]
#[path = "../../../src/resilience/limit/rate.rs"]
mod rate;
mod sync;

/// The library's own can be made by the library alone.
#[derive(Debug)]
struct RateLimited;

impl RateLimited {
    const fn new(_: Duration) -> Self {
        Self
    }
}

/// A clock that stands still, a second after the beginning.
#[derive(Clone)]
struct Still;

impl Clock for Still {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(1_000_000_000)
    }
}

fn full(burst: u32) -> Arc<Bucket<Still>> {
    let burst = NonZeroU32::new(burst).unwrap();
    Arc::new(Bucket::new(Quota::per_second(burst), burst.get(), Still))
}

fn takes(bucket: &Bucket<Still>, times: u32) -> u32 {
    (0..times).map(|_| u32::from(bucket.take().is_ok())).sum()
}

#[test]
fn two_threads_take_what_is_there_and_no_more() {
    loom::model(|| {
        let bucket = full(3);
        let other = Arc::clone(&bucket);
        let first = thread::spawn(move || takes(&other, 2));
        let second = takes(&bucket, 2);
        assert_eq!(first.join().unwrap() + second, 3);
    });
}

#[test]
fn what_is_drained_and_what_is_taken_add_up() {
    loom::model(|| {
        let bucket = full(3);
        let other = Arc::clone(&bucket);
        let first = thread::spawn(move || takes(&other, 2));
        let drained = bucket.drain();
        let taken = first.join().unwrap();
        assert_eq!(taken + drained, 3);
        let next = Bucket::new(Quota::per_second(NonZeroU32::new(9).unwrap()), drained, Still);
        assert_eq!(takes(&next, 9), drained, "the next one has what was left");
    });
}

/// One call each millisecond.
fn rate() -> Rate {
    Rate::new(1, Duration::from_millis(1))
}

fn waits(limiter: &Limiter) {
    block_on(limiter.take_within(Duration::from_secs(9))).expect("its turn comes");
}

/// Runs what `one` and `two` do with a limiter, in every order of their steps but for those that change threads often.
fn both(burst: u32, one: fn(&Limiter), two: fn(&Limiter), check: fn(&Limiter)) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(move || {
        let limiter = Limiter::new(rate().with_burst(burst));
        limiter.try_take().expect("the burst");
        let other = limiter.clone();
        let first = thread::spawn(move || one(&other));
        two(&limiter);
        first.join().unwrap();
        check(&limiter);
    });
}

#[test]
fn all_in_line_are_served_and_none_before_its_time() {
    both(1, waits, waits, |limiter| {
        assert!(sync::Instant::now().nanos() >= 2_000_000, "two calls take two intervals");
        limiter.try_take().expect_err("both have taken what there was");
    });
}

#[test]
fn a_change_of_rate_neither_loses_those_who_wait_nor_lets_more_through() {
    let change = |limiter: &Limiter| limiter.set_rate(Rate::new(2, Duration::from_millis(1)));
    both(1, waits, change, |limiter| {
        assert!(sync::Instant::now().nanos() >= 500_000, "nothing is free");
        assert_eq!(limiter.rate().interval(), Duration::from_micros(500));
    });
}

#[test]
fn two_changes_leave_what_was_left_once() {
    let change = |limiter: &Limiter| limiter.set_rate(rate().with_burst(2));
    both(1, change, change, |limiter| {
        limiter.try_take().expect_err("it was taken before the changes, and no time has passed");
    });
}

#[test]
fn who_leaves_the_line_lets_the_next_one_in() {
    let leaves = |limiter: &Limiter| {
        let mut call = std::pin::pin!(limiter.take_within(Duration::from_secs(9)));
        let _ = call.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    };
    both(1, leaves, waits, |_| ());
}

#[test]
fn a_change_refuses_nobody_what_is_there() {
    let change = |limiter: &Limiter| limiter.set_rate(rate().with_burst(9));
    let take = |limiter: &Limiter| limiter.try_take().expect("one of two is left");
    both(2, change, take, |limiter| {
        limiter.try_take().expect_err("none is left");
    });
}
