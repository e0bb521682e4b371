//! Batch: when it runs, what it holds, who gets what, and what becomes of it when callers leave.

use std::error::Error;
use std::future::pending;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flux_core::Stage;
use flux_stage::{Batch, BatchError};
use futures_util::future::join_all;
use proptest::prelude::*;
use tokio::time::{Instant, sleep};

use crate::double::{Fault, ms, poll_once};

/// What each batch held, and how many run.
#[derive(Debug, Clone, Default)]
struct Log(Arc<(Mutex<Vec<Vec<u32>>>, AtomicUsize)>);

impl Log {
    fn batches(&self) -> Vec<Vec<u32>> {
        self.0.0.lock().unwrap().clone()
    }

    fn running(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }

    /// A stage that doubles every item after so many milliseconds.
    fn doubling(&self, millis: u64) -> impl Stage<Vec<u32>, Out = Vec<u32>, Error = Fault> + 'static {
        let log = self.clone();
        move |items: Vec<u32>| {
            let log = log.clone();
            async move {
                log.0.0.lock().unwrap().push(items.clone());
                let _running = Running::new(log);
                if millis > 0 {
                    sleep(ms(millis)).await;
                }
                Ok(items.into_iter().map(|n| n * 2).collect())
            }
        }
    }
}

struct Running(Log);

impl Running {
    fn new(log: Log) -> Self {
        log.0.1.fetch_add(1, Ordering::SeqCst);
        Self(log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.1.fetch_sub(1, Ordering::SeqCst);
    }
}

type Call<'b> = Pin<Box<dyn Future<Output = Result<u32, BatchError<Fault>>> + Send + 'b>>;

/// Calls that have each been polled once, in order.
fn started<S>(batch: &Batch<S, u32, u32, Fault>, inputs: impl IntoIterator<Item = u32>) -> Vec<Call<'_>>
where
    S: Stage<Vec<u32>, Out = Vec<u32>, Error = Fault> + 'static,
{
    let start = |n| {
        let mut call: Call<'_> = Box::pin(batch.process(n));
        assert!(poll_once(call.as_mut()).is_pending(), "{n}");
        call
    };
    inputs.into_iter().map(start).collect()
}

fn values(results: Vec<Result<u32, BatchError<Fault>>>) -> Vec<u32> {
    results.into_iter().map(Result::unwrap).collect()
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_runs_at_once_and_each_caller_gets_its_own() {
    let start = Instant::now();
    for size in [1, 3] {
        let log = Log::default();
        let batch = Batch::new(log.doubling(0), size).with_interval(ms(1_000));
        let results = join_all((0..6).map(|n| batch.process(n))).await;
        assert_eq!(values(results), [0, 2, 4, 6, 8, 10]);
        let expected: Vec<Vec<u32>> = (0..6).collect::<Vec<_>>().chunks(size).map(<[u32]>::to_vec).collect();
        assert_eq!(log.batches(), expected);
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_interval_ends_the_wait_for_more() {
    let start = Instant::now();
    let log = Log::default();
    let batch = Batch::new(log.doubling(0), 100).with_interval(ms(50));
    let mut calls = started(&batch, [1]);
    sleep(ms(30)).await;
    calls.extend(started(&batch, [2]));
    assert_eq!(values(join_all(calls).await), [2, 4]);
    assert_eq!(start.elapsed(), ms(50), "counted from the first");
    assert_eq!(batch.process(3).await.unwrap(), 6);
    assert_eq!((log.batches(), start.elapsed()), (vec![vec![1, 2], vec![3]], ms(100)));
}

#[tokio::test(start_paused = true)]
async fn an_interval_without_end_waits_for_a_full_batch() {
    let log = Log::default();
    let batch = Batch::new(log.doubling(0), 2).with_interval(Duration::MAX);
    let mut one = started(&batch, [1]).remove(0);
    sleep(Duration::from_hours(1)).await;
    assert!(poll_once(one.as_mut()).is_pending());
    assert_eq!(values(join_all([one, Box::pin(batch.process(2)) as Call<'_>]).await), [2, 4]);
}

#[tokio::test(start_paused = true)]
async fn bytes_fill_a_batch_and_a_giant_goes_alone() {
    let log = Log::default();
    let batch = Batch::new(log.doubling(0), 100).with_interval(ms(5)).with_bytes(10, |n| *n as usize);
    let results = join_all([4, 6, 5, 6, 30, 1].map(|n| batch.process(n))).await;
    assert_eq!(values(results), [8, 12, 10, 12, 60, 2]);
    let mut batches = log.batches();
    batches.sort();
    assert_eq!(batches, [vec![1], vec![4, 6], vec![5], vec![6], vec![30]]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_to_all_of_the_batch() {
    let batch = Batch::new(async |_: Vec<u32>| Err::<Vec<u32>, _>(Fault::Boom(1)), 2);
    for result in join_all([batch.process(1), batch.process(2)]).await {
        let error = result.unwrap_err();
        assert_eq!(error.stage(), Some(&Fault::Boom(1)));
        assert_eq!(error.source().map(ToString::to_string), Some(Fault::Boom(1).to_string()));
    }
}

#[tokio::test(start_paused = true)]
async fn another_number_of_results_is_an_error_and_not_a_mix_up() {
    let batch = Batch::new(async |_: Vec<u32>| Ok::<_, Fault>(vec![1]), 2);
    for result in join_all([batch.process(1), batch.process(2)]).await {
        assert!(matches!(result, Err(BatchError::Count { items: 2, results: 1 })));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_told_to_the_others() {
    async fn panics(_: Vec<u32>) -> Result<Vec<u32>, Fault> {
        tokio::task::yield_now().await;
        panic!("as it should")
    }
    let batch = Batch::new(panics, 2);
    let other = batch.clone();
    let mut waiting = started(&batch, [1]).remove(0);
    assert!(tokio::spawn(async move { other.process(2).await }).await.unwrap_err().is_panic());
    let std::task::Poll::Ready(result) = poll_once(waiting.as_mut()) else { panic!("it hangs") };
    assert!(matches!(result, Err(BatchError::Panicked)));
}

#[tokio::test(start_paused = true)]
async fn an_item_whose_caller_left_is_not_run() {
    let log = Log::default();
    let batch = Batch::new(log.doubling(0), 3).with_interval(ms(50));
    let mut calls = started(&batch, [1, 2]);
    drop(calls.remove(0));
    assert_eq!(values(join_all(calls).await), [4], "the one who minded the time is gone");
    assert_eq!(log.batches(), [vec![2]]);
}

#[tokio::test(start_paused = true)]
async fn the_place_of_one_who_left_is_free() {
    let log = Log::default();
    let batch = Batch::new(log.doubling(0), 2).with_interval(Duration::MAX);
    for n in 0..1_000 {
        drop(started(&batch, [n]));
    }
    assert_eq!(values(join_all([batch.process(7), batch.process(8)]).await), [14, 16]);
    assert_eq!(log.batches(), [vec![7, 8]]);
}

#[tokio::test(start_paused = true)]
async fn the_batch_runs_on_when_its_driver_leaves() {
    let log = Log::default();
    let batch = Batch::new(log.doubling(100), 3);
    let mut calls = started(&batch, [1, 2, 3]);
    assert_eq!(log.running(), 1);
    drop(calls.remove(2));
    drop(calls.remove(0));
    assert_eq!(log.running(), 1);
    assert_eq!(values(join_all(calls).await), [4]);
}

#[tokio::test(start_paused = true)]
async fn nothing_runs_when_all_have_left() {
    for size in [3, 100] {
        let log = Log::default();
        let batch = Batch::new(log.doubling(100), size).with_interval(ms(5));
        let calls = join_all((0..3).map(|n| batch.process(n)));
        assert!(tokio::time::timeout(ms(10), calls).await.is_err());
        assert_eq!((log.running(), log.batches().len()), (0, 1), "size {size}");
    }
}

#[tokio::test(start_paused = true)]
async fn batches_run_at_the_same_time() {
    let start = Instant::now();
    let log = Log::default();
    let batch = Batch::new(log.doubling(100), 2);
    assert_eq!(join_all((0..8).map(|n| batch.process(n))).await.len(), 8);
    assert_eq!((start.elapsed(), log.batches().len()), (ms(100), 4));
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_never_ends_holds_only_its_own() {
    let batch = Batch::new(
        |items: Vec<u32>| async move { if items == [1] { pending().await } else { Ok::<_, Fault>(items) } },
        1,
    );
    let _stuck = started(&batch, [1]);
    assert_eq!(batch.process(2).await.unwrap(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the sizes, weights and pauses, and whoever leaves: each that stays gets its own result, and none runs twice.
    #[test]
    fn each_caller_gets_exactly_one_result(
        size in 1_usize..6,
        bytes in 1_usize..20,
        work in 0_u64..30,
        calls in prop::collection::vec((0_u64..20, prop::option::of(0_u64..40)), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let log = Log::default();
            let batch = Batch::new(log.doubling(work), size).with_bytes(bytes, |n| *n as usize % 7).with_interval(ms(8));
            let mut tasks = Vec::new();
            for (n, (pause, patience)) in (0_u32..).zip(calls) {
                let batch = batch.clone();
                tasks.push((n, patience, tokio::spawn(async move {
                    let patience = patience.map_or(Duration::from_hours(1), ms);
                    tokio::time::timeout(patience, batch.process(n)).await
                })));
                if pause > 10 {
                    sleep(ms(pause - 10)).await;
                }
            }
            for (n, patience, task) in tasks {
                match task.await.unwrap() {
                    Ok(result) => assert_eq!(result.unwrap(), n * 2),
                    Err(_elapsed) => assert!(patience.is_some(), "{n} stayed and got nothing"),
                }
            }
            let mut ran: Vec<u32> = log.batches().concat();
            let runs = ran.len();
            ran.sort_unstable();
            ran.dedup();
            assert_eq!(ran.len(), runs, "none runs twice");
            assert!(log.batches().iter().all(|batch| batch.len() <= size && !batch.is_empty()));
            assert_eq!(log.running(), 0);
        });
    }
}
