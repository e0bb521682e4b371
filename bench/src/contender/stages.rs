//! A stage called again and again by one task, and nothing else.

use std::hint::black_box;
use std::time::Duration;

use flux_core::{Error, Stage};
use flux_stage::{
    Batch, CircuitBreaker, CircuitConfig, FanOut, FanOutError, Hedge, LoadShed, MapEach, Parallel, Rate, RateLimit,
    Retry, Then, Timeout,
};

use crate::contender::Contender;
use crate::stopwatch::Stopwatch;
use crate::{Result, runtime};

/// Stages that run at the same time, and callers of one batch.
const WIDTH: usize = 10;

/// Items of a map.
const ITEMS: u64 = 100;

/// One kind of stage around a function that only adds.
#[derive(Debug)]
pub struct Stages {
    name: &'static str,
    run: fn(u64, &mut Stopwatch) -> Result,
}

impl Contender for Stages {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&self, messages: u64, stopwatch: &mut Stopwatch) -> Result {
        (self.run)(messages, stopwatch)
    }
}

async fn add(n: u64) -> std::result::Result<u64, Error> {
    Ok(n ^ (n >> 3))
}

async fn add_all(items: Vec<u64>) -> std::result::Result<Vec<u64>, Error> {
    Ok(items.into_iter().map(|n| n ^ (n >> 3)).collect())
}

async fn increment(n: u64) -> std::result::Result<u64, Error> {
    Ok(n + 1)
}

/// A chain of one stage after another of the same kind, one longer than there are tokens.
macro_rules! chain {
    ($each:ident, $stage:expr;) => { $stage };
    ($each:ident, $stage:expr; $next:tt $($rest:tt)*) => { chain!($each, Then::new($stage, $each); $($rest)*) };
}

macro_rules! chain_of_50 {
    ($each:ident) => {
        chain!($each, $each; 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30
            31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50)
    };
}

/// The contender called `name`.
#[must_use]
pub fn named(name: &'static str) -> Stages {
    let run: fn(u64, &mut Stopwatch) -> Result = match name {
        "batch of 10 callers" => batch,
        "chain of 10" => |n, clock| calls(n, clock, |n| n, || chain!(increment, increment; 2 3 4 5 6 7 8 9 10)),
        "chain of 50" => |n, clock| calls(n, clock, |n| n, || chain_of_50!(increment)),
        "circuit breaker" => |n, clock| calls(n, clock, |n| n, || CircuitBreaker::new(add, CircuitConfig::new())),
        "circuit breaker, by rate" => |n, clock| {
            let by_rate = CircuitConfig::new().with_failure_rate(0.5, Duration::from_secs(10), 20);
            calls(n, clock, |n| n, || CircuitBreaker::new(add, by_rate))
        },
        "fan-out to 10" => |n, clock| calls(n, clock, |n| n, || FanOut::new([add; WIDTH])),
        "hedge" => |n, clock| calls(n, clock, |n| n, || Hedge::new(add, Duration::from_secs(1))),
        "load shed" => |n, clock| calls(n, clock, |n| n, || LoadShed::new(add, WIDTH)),
        "map of 100 items" => |n, clock| calls(n, clock, |n| (n..n + ITEMS).collect::<Vec<_>>(), || MapEach::new(add)),
        #[cfg(feature = "telemetry")]
        "metered" => |n, clock| calls(n, clock, |n| n, || flux_stage::Metered::new("add", add)),
        "parallel, 10 wide" => |n, clock| {
            let sum = |parts: Vec<u64>| Ok::<u64, FanOutError<Error>>(parts.into_iter().sum());
            calls(n, clock, |n| n, || Parallel::new(FanOut::new([add; WIDTH]), sum))
        },
        "rate limit" => |n, clock| {
            let never_reached = Rate::new(u32::MAX, Duration::ZERO).with_burst(u32::MAX);
            calls(n, clock, |n| n, || RateLimit::new(add, never_reached))
        },
        "retry" => |n, clock| calls(n, clock, |n| n, || Retry::new(add)),
        "timeout" => |n, clock| calls(n, clock, |n| n, || Timeout::new(add, Duration::from_secs(1))),
        #[cfg(feature = "telemetry")]
        "traced" => |n, clock| calls(n, clock, |n| n, || flux_stage::Traced::new("add", add)),
        _ => |n, clock| calls(n, clock, |n| n, || add),
    };
    Stages { name, run }
}

/// Calls the stage `count` times, one after the other.
fn calls<In, S: Stage<In>>(
    count: u64,
    stopwatch: &mut Stopwatch,
    input: impl Fn(u64) -> In,
    stage: impl FnOnce() -> S,
) -> Result {
    let runtime = runtime::single()?;
    let stage = stage();
    stopwatch.measure(|| {
        runtime.block_on(async {
            for n in 0..count {
                let done = stage.process(input(black_box(n))).await;
                black_box(done).map_err(|_| "a stage that cannot fail did")?;
            }
            Result::Ok(())
        })
    })
}

/// One message is one batch: ten callers of one task, and the results of each. The task is spawned, because waking the one
/// that `block_on` runs takes two system calls.
fn batch(count: u64, stopwatch: &mut Stopwatch) -> Result {
    let runtime = runtime::single()?;
    let batch = Batch::new(add_all, WIDTH);
    let batches = async move {
        for n in 0..count {
            let call = |n| batch.process(black_box(n));
            let done =
                tokio::join!(call(n), call(n), call(n), call(n), call(n), call(n), call(n), call(n), call(n), call(n),);
            black_box(done).0.map_err(|_| "a batch that cannot fail did")?;
        }
        Result::Ok(())
    };
    stopwatch.measure(|| runtime.block_on(runtime.spawn(batches)))?
}
