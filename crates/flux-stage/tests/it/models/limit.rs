//! The limiter's bucket: what two threads take from it at the same time.

use std::num::NonZeroU32;

use governor::Quota;
use governor::clock::Clock;
use governor::nanos::Nanos;
use loom::sync::Arc;
use loom::thread;

use self::bucket::Bucket;

#[path = "../../../src/resilience/limit/bucket.rs"]
mod bucket;

mod sync {
    pub(super) use loom::sync::atomic::{AtomicU64, Ordering};
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
