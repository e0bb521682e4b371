//! The import: each flight by itself, through a retry, into batches, past a circuit breaker and a rate limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flux::Stage;
use flux_stage::{
    Backoff, Batch, BatchError, CircuitBreaker, CircuitConfig, CircuitState, Rate, RateLimit, Retry, RetryExhausted,
};
use tokio::task::JoinSet;

use crate::options::Options;
use crate::report::Report;
use crate::store::{Flight, Store, StoreError};

/// Flights on their way at the same time.
const IN_FLIGHT: usize = 1_000;

/// How long the circuit stays open.
const RESET: Duration = Duration::from_millis(20);

/// How one flight ends when all attempts failed.
type Exhausted = RetryExhausted<BatchError<StoreError>>;

/// What happened on the way.
#[derive(Debug, Default)]
struct Counts {
    opened: AtomicU64,
    refused: AtomicU64,
    retries: AtomicU64,
}

/// One flight into the store, however often that takes.
fn stage(
    store: Arc<Store>,
    counts: &Arc<Counts>,
    options: &Options,
) -> impl Stage<Flight, Out = bool, Error = Exhausted> + use<> {
    let insert = move |flights| {
        let store = Arc::clone(&store);
        async move { store.insert(flights).await }
    };
    let limited =
        RateLimit::new(insert, Rate::per_second(options.rate).with_burst(10)).with_wait(Duration::from_secs(1));

    let opened = Arc::clone(counts);
    let config = CircuitConfig::new().with_failures(3).with_reset_after(RESET).with_on_change(move |_, to| {
        if to == CircuitState::Open {
            opened.opened.fetch_add(1, Ordering::Relaxed);
        }
    });
    let guarded = CircuitBreaker::new(limited, config);

    let batched = Batch::new(guarded, options.batch).with_interval(Duration::from_millis(2));

    let counts = Arc::clone(counts);
    let worth_it = move |error: &BatchError<StoreError>| {
        counts.retries.fetch_add(1, Ordering::Relaxed);
        if let Some(StoreError::Open(_) | StoreError::Limited(_)) = error.stage() {
            counts.refused.fetch_add(1, Ordering::Relaxed);
        }
        error.stage().is_some()
    };
    let backoff = Backoff::exponential(Duration::from_millis(5)).with_max(4 * RESET);
    Retry::new(batched).when(worth_it).with_attempts(60).with_backoff(backoff).with_deadline(Duration::from_secs(30))
}

/// Imports the lines and reports.
pub(crate) async fn import(lines: Vec<String>, options: &Options) -> Report {
    let started = Instant::now();
    let (store, counts) = (Arc::new(Store::new(options.outage)), Arc::new(Counts::default()));
    let stage = Arc::new(stage(Arc::clone(&store), &counts, options));
    let mut report = Report::default();
    let mut running = JoinSet::new();
    for line in lines {
        report.lines += 1;
        let Ok(flight) = serde_json::from_str::<Flight>(&line) else {
            report.undecodable += 1;
            continue;
        };
        if running.len() >= IN_FLIGHT
            && let Some(done) = running.join_next().await
        {
            report.add(&done);
        }
        let stage = Arc::clone(&stage);
        running.spawn(async move { stage.process(flight).await });
    }
    while let Some(done) = running.join_next().await {
        report.add(&done);
    }
    (report.calls, report.failed_calls) = store.calls();
    report.rows = store.rows() as u64;
    report.circuit_opened = counts.opened.load(Ordering::Relaxed);
    report.refused = counts.refused.load(Ordering::Relaxed);
    report.retries = counts.retries.load(Ordering::Relaxed);
    report.elapsed_s = started.elapsed().as_secs_f64();
    report
}
