//! The circuit's state machine: what two threads do to it at the same time.

use loom::sync::Arc;
use loom::thread;

use self::state::{CircuitState, Machine, Rules, Ticket, Trip};
use self::tally::Tally;

#[expect(unreachable_pub, reason = "the library makes the state public")]
#[path = "../../../src/resilience/breaker/state.rs"]
mod state;
#[path = "../../../src/resilience/breaker/tally.rs"]
mod tally;

mod sync {
    pub(super) use loom::sync::atomic::{AtomicU64, Ordering};
}

const RESET: u64 = 100;

fn machine(trip: Trip, successes: u32) -> Arc<Machine> {
    let rules = Rules { trip, reset_after: RESET, successes, probes: 1 };
    Arc::new(Machine::new(rules, Tally::new(1_000)))
}

fn enter(machine: &Machine, now: u64) -> Option<Ticket> {
    machine.enter(|| now).ok().map(|(ticket, _)| ticket)
}

/// A machine that one failure has opened.
fn open(successes: u32) -> Arc<Machine> {
    let machine = machine(Trip::Consecutive(1), successes);
    let ticket = enter(&machine, 0).unwrap();
    machine.fail(ticket, || 0).unwrap();
    machine
}

/// Runs `one` and `two` on a thread each, in every order of their steps, and returns what they return.
fn both<T: 'static>(
    machine: &Arc<Machine>,
    one: impl FnOnce(&Machine) -> T + 'static,
    two: impl FnOnce(&Machine) -> T,
) -> (T, T) {
    let other = Arc::clone(machine);
    let first = thread::spawn(move || one(&other));
    let second = two(machine);
    (first.join().unwrap(), second)
}

#[test]
fn two_failures_open_it_once() {
    loom::model(|| {
        for trip in [Trip::Consecutive(2), Trip::Rate { share: 1.0, calls_min: 2 }] {
            let machine = machine(trip, 1);
            let fail = |machine: &Machine| {
                let ticket = enter(machine, 0).expect("closed");
                machine.fail(ticket, || 0)
            };
            let changes = both(&machine, fail, fail);
            assert!(changes.0.is_some() ^ changes.1.is_some(), "{changes:?}");
            assert_eq!(machine.state(|| 0), CircuitState::Open);
            assert_eq!(machine.enter(|| 1).unwrap_err(), RESET - 1);
        }
    });
}

#[test]
fn one_of_two_becomes_the_probe() {
    loom::model(|| {
        let machine = open(1);
        let (one, two) = both(&machine, |m| enter(m, RESET), |m| enter(m, RESET));
        assert!(one.is_some() ^ two.is_some());
    });
}

#[test]
fn a_place_given_back_is_taken_once() {
    loom::model(|| {
        let machine = open(1);
        let probe = enter(&machine, RESET).unwrap();
        let abandon = move |machine: &Machine| {
            machine.abandon(probe);
            enter(machine, RESET)
        };
        let (one, two) = both(&machine, abandon, |m| enter(m, RESET));
        assert!(one.is_some() ^ two.is_some(), "one place, one probe");
    });
}

#[test]
fn a_probe_closes_it_while_others_ask() {
    loom::model(|| {
        let machine = open(1);
        let probe = enter(&machine, RESET).unwrap();
        let succeed = move |machine: &Machine| machine.succeed(probe, || RESET).is_some();
        let fail_late = |machine: &Machine| {
            let Some(ticket) = enter(machine, RESET) else { return false };
            machine.fail(ticket, || RESET).is_some()
        };
        let (closed, opened) = both(&machine, succeed, fail_late);
        assert!(closed);
        // The other got in only once it was closed, so its failure opens it again, and is never lost.
        let expected = if opened { CircuitState::Open } else { CircuitState::Closed };
        assert_eq!(machine.state(|| RESET), expected);
    });
}

#[test]
fn a_failure_from_before_does_not_reopen_it() {
    loom::model(|| {
        let machine = machine(Trip::Consecutive(1), 1);
        let (late, first) = (enter(&machine, 0).unwrap(), enter(&machine, 0).unwrap());
        machine.fail(first, || 0).unwrap();
        let close = |machine: &Machine| {
            let probe = enter(machine, RESET)?;
            machine.succeed(probe, || RESET)
        };
        let (closed, late) = both(&machine, close, move |m| m.fail(late, || RESET));
        assert!(closed.is_some() && late.is_none());
        assert_eq!(machine.state(|| RESET), CircuitState::Closed);
    });
}
