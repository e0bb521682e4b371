//! The import: each flight by itself, through a retry, into batches, past a circuit breaker and a rate limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flux::prelude::*;
use flux::stage::{Backoff, BatchError, CircuitConfig, CircuitState, Rate, RetryExhausted};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::options::Options;
use crate::report::Report;
use crate::store::{FAILED, Flight, Store, StoreError};

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
    let insert = move |flights: Vec<Flight>| {
        let store = Arc::clone(&store);
        async move { store.insert(flights).await }
    };
    let opened = Arc::clone(counts);
    let circuit = CircuitConfig::new().with_failures(3).with_reset_after(RESET).with_on_change(move |_, to| {
        if to == CircuitState::Open {
            opened.opened.fetch_add(1, Ordering::Relaxed);
        }
    });
    let counts = Arc::clone(counts);
    let worth_it = move |error: &BatchError<StoreError>| {
        counts.retries.fetch_add(1, Ordering::Relaxed);
        if let Some(StoreError::Open(_) | StoreError::Limited(_)) = error.stage() {
            counts.refused.fetch_add(1, Ordering::Relaxed);
        }
        error.stage().is_some()
    };
    insert
        .rate_limit(Rate::per_second(options.rate).with_burst(10))
        .with_wait(Duration::from_secs(1))
        .circuit_breaker(circuit)
        .batch(options.batch)
        .with_interval(Duration::from_millis(2))
        .retry()
        .when(worth_it)
        .with_attempts(60)
        .with_backoff(Backoff::exponential(Duration::from_millis(5)).with_max(4 * RESET))
        .with_deadline(Duration::from_secs(30))
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
    report.inserts = store.inserts();
    report.calls = report.inserts.len() as u64;
    report.failed_calls = report.inserts.matches(FAILED).count() as u64;
    report.rows = store.rows() as u64;
    report.circuit_opened = counts.opened.load(Ordering::Relaxed);
    report.refused = counts.refused.load(Ordering::Relaxed);
    report.retries = counts.retries.load(Ordering::Relaxed);
    report.elapsed_s = started.elapsed().as_secs_f64();
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first flights of the week, on a clock that does not wait.
    async fn imported(flights: usize, change: impl FnOnce(&mut Options)) -> Report {
        let mut options = Options::default();
        change(&mut options);
        let text = std::fs::read_to_string(&options.input).expect("the week can be read");
        let report = import(text.lines().take(flights).map(str::to_owned).collect(), &options).await;
        report.check().expect("it adds up");
        report
    }

    #[tokio::test(start_paused = true)]
    async fn a_larger_batch_makes_fewer_inserts() {
        let small = imported(400, |options| options.batch = 10).await;
        let large = imported(400, |options| options.batch = 100).await;
        assert!(small.calls >= 40 && large.calls < 20, "{small:?} {large:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lower_rate_takes_longer() {
        let fast = imported(400, |options| (options.batch, options.rate) = (10, 1_000)).await;
        let slow = imported(400, |options| (options.batch, options.rate) = (10, 20)).await;
        // Ten at once, and the other thirty one every 50 ms.
        assert!(fast.elapsed_s < 1.0 && slow.elapsed_s >= 1.5, "{fast:?} {slow:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_opens_the_circuit() {
        let without = imported(400, |options| (options.batch, options.outage) = (10, 0)).await;
        let with = imported(400, |options| (options.batch, options.outage) = (10, 12)).await;
        assert_eq!((without.circuit_opened, without.refused), (0, 0), "{without:?}");
        assert!(with.circuit_opened > 0 && with.inserts.contains("xxx"), "{with:?}");
    }
}
