//! What composition and observation allocate: nothing.

use std::alloc::System;
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use flux_core::Stage;
use flux_stage::StageExt;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The counter is one for the process, and tests run at the same time.
static TURN: Mutex<()> = Mutex::new(());

const ROUNDS: usize = 20;
const CALLS: usize = 100;

fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("must be ready at once"),
    }
}

/// The allocations of a hundred calls. The fewest of several rounds, because the test harness has threads of its own.
fn allocations<In, S: Stage<In>>(stage: &S, input: impl Fn() -> In) -> usize {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let _warm = ready(stage.process(input()));
    let round = |_| {
        let inputs: Vec<In> = (0..CALLS).map(|_| input()).collect();
        let region = Region::new(ALLOCATOR);
        for input in inputs {
            drop(ready(stage.process(input)));
        }
        let change = region.change();
        change.allocations + change.reallocations
    };
    (0..ROUNDS).map(round).min().unwrap_or_default()
}

async fn add(n: u64) -> Result<u64, Infallible> {
    Ok(n + 1)
}

#[test]
fn composition_allocates_nothing() {
    let stage = add.then(add).map(|n| n + 1).peek(|_| ()).inspect(|_| ()).then(add.label("add")).filter(|n| *n > 0);
    assert_eq!(allocations(&stage, || 1), 0);
    assert_eq!(allocations(&add.boxed(), || 1), CALLS, "the counter counts");
}

#[cfg(feature = "observe")]
#[test]
fn observation_without_an_sdk_allocates_nothing() {
    let stage = flux_stage::Metered::new("add", flux_stage::Traced::new("add", add).with_attribute("a", "b"));
    assert_eq!(allocations(&stage, || 1), 0);
}

#[cfg(feature = "concurrent")]
#[test]
fn allocations_do_not_grow_with_the_number_of_items() {
    let map = flux_stage::MapEach::new(add);
    let few = allocations(&map, || vec![1; 20]);
    assert_eq!(allocations(&map, || vec![1; 2_000]), few);
    assert!(few <= 3 * CALLS, "{few} for {CALLS} calls");
}
