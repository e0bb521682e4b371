//! Bulkhead and load shed: what is in flight, who waits, and who is refused.

use std::pin::Pin;
use std::task::Poll;

use flux_core::Stage;
use flux_stage::{Bulkhead, LoadShed};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::double::{Act, Double, Fault, ms, poll_once};

type Call<'s> = Pin<Box<dyn Future<Output = Result<u32, Fault>> + Send + 's>>;

/// Calls that have each been polled once, and how many of them were refused.
fn start<S: Stage<u32, Out = u32, Error = Fault>>(stage: &S, calls: u32) -> (Vec<Call<'_>>, usize) {
    let mut pending = Vec::new();
    let mut refused = 0;
    for n in 0..calls {
        let mut call: Call<'_> = Box::pin(stage.process(n));
        match poll_once(call.as_mut()) {
            Poll::Pending => pending.push(call),
            Poll::Ready(Err(Fault::Overloaded(_))) => refused += 1,
            Poll::Ready(other) => panic!("{other:?}"),
        }
    }
    (pending, refused)
}

#[tokio::test(start_paused = true)]
async fn a_bulkhead_lets_so_many_run_and_the_rest_wait() {
    for limit in [0, 1, 3] {
        let start = Instant::now();
        let double = Double::new(vec![Act::After(10); 6]);
        let bulkhead = Bulkhead::new(double.clone(), limit);
        let results = join_all((0..6).map(|n| bulkhead.process(n))).await;
        assert!(results.into_iter().all(|result| result.is_ok()));
        assert_eq!(double.peak(), limit.max(1));
        assert_eq!(start.elapsed(), ms(60) / u32::try_from(limit.max(1)).unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn the_queue_of_a_bulkhead_is_bounded() {
    let double = Double::new(vec![Act::Hang; 9]);
    let bulkhead = Bulkhead::new(double.clone(), 2).with_queue(3);
    let (pending, refused) = start(&bulkhead, 9);
    assert_eq!((pending.len(), refused, bulkhead.in_flight()), (5, 4, 2));
    drop(pending);
    assert_eq!((double.running(), bulkhead.in_flight()), (0, 0));
    assert_eq!(start(&bulkhead, 9).1, 4, "places and queue are as free as before");
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_a_bulkhead_is_bounded() {
    let begin = Instant::now();
    let bulkhead = Bulkhead::new(Double::new([Act::Hang]), 1).with_wait(ms(30));
    let (_first, _) = start(&bulkhead, 1);
    let Err(Fault::Overloaded(refused)) = bulkhead.process(1).await else { panic!("let through") };
    assert_eq!((refused.limit(), begin.elapsed()), (1, ms(30)));
}

#[tokio::test(start_paused = true)]
async fn a_shed_refuses_what_is_too_much_at_once() {
    let double = Double::new(vec![Act::After(10); 9]);
    let shed = LoadShed::new(double.clone(), 2);
    let (pending, refused) = start(&shed, 9);
    assert_eq!((refused, shed.in_flight(), double.running()), (7, 2, 2));
    sleep(ms(20)).await;
    assert!(join_all(pending).await.into_iter().all(|result| result.is_ok()));
    assert_eq!(shed.in_flight(), 0);
    let (pending, _) = start(&shed, 2);
    drop(pending);
    assert_eq!((shed.in_flight(), double.running()), (0, 0));
    assert_eq!(start(&LoadShed::new(Double::new([Act::Hang]), 0), 1).1, 0, "zero counts as one");
}
