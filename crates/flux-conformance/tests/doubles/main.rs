//! The suite is tested by transports that are wrong in one way each: it must catch every one of them.

mod answering;
mod claim;
mod faulty;
mod inline;
mod lingering;
mod server;

use std::time::Duration;

use bytes::Bytes;
use flux_conformance::{Capabilities, Case, Fixture, Flavor, Pull, Redelivers, Report, run, transport_suite};
use flux_core::Result;
use flux_mem::{Mem, StreamConfig};

use answering::Answers;
use faulty::{Fault, Faulty, FaultyConsumer};
use inline::Inline;
use lingering::Ghosts;
use server::Server;

/// A stream in memory with the fault of this number.
struct Double<const FAULT: usize>;

impl<const FAULT: usize> Fixture for Double<FAULT> {
    type Payload = Bytes;
    type Bus = Faulty;
    const NAME: &'static str = "double";
    const PAUSED: bool = true;

    fn capabilities() -> Capabilities {
        Capabilities::new("the stream holds it", "per stream").with_redelivery().with_groups().with_pull()
    }

    async fn open() -> Result<Faulty> {
        let stream = Mem::stream(StreamConfig::new("conformance", ["conformance.>"]))?;
        Ok(Faulty::new(stream, Fault::number(FAULT)))
    }

    fn payload(number: u64) -> Bytes {
        Bytes::copy_from_slice(&number.to_be_bytes())
    }

    fn number(payload: &Bytes) -> u64 {
        u64::from_be_bytes(payload.as_ref().try_into().expect("a number was published"))
    }
}

impl<const FAULT: usize> Redelivers for Double<FAULT> {
    fn ack_wait() -> Duration {
        Duration::from_secs(30)
    }
}

impl<const FAULT: usize> Pull for Double<FAULT> {
    type Consumer = FaultyConsumer;

    async fn consumer(bus: &Faulty, filter: &str) -> Result<FaultyConsumer> {
        bus.consumer(filter)
    }

    fn ack_wait() -> Duration {
        Duration::from_secs(30)
    }
}

#[track_caller]
fn caught(report: &Report, by: &str) {
    let failed: Vec<_> = report.failed.iter().map(|(name, _)| *name).collect();
    assert!(failed.contains(&by), "`{by}` must fail, but only these did: {failed:?}");
}

// A transport without a fault; its tests are the suite's.
transport_suite!(faultless: Double<0>, groups, redelivers, pull);
transport_suite!(answering_outcomes: Answers<0>, outcomes);
transport_suite!(restarting: Server<0>, groups, requests, redelivers, restarts, restarts_requests, restarts_stored);

fn cases_of<const FAULT: usize>() -> Vec<Case> {
    let mut cases = flux_conformance::__part!(list basic Double<FAULT>);
    cases.extend(flux_conformance::__part!(list groups Double<FAULT>));
    cases.extend(flux_conformance::__part!(list redelivers Double<FAULT>));
    cases.extend(flux_conformance::__part!(list pull Double<FAULT>));
    cases
}

fn report<const FAULT: usize>() -> Report {
    run(&cases_of::<FAULT>(), Flavor::CurrentThread)
}

#[test]
fn the_faultless_one_passes_all() {
    let report = report::<0>();
    assert_eq!(report.failed, []);
    assert_eq!(report.passed.len(), cases_of::<0>().len());
}

#[test]
fn a_dropped_header_is_caught() {
    caught(&report::<1>(), "keeps_headers");
}

#[test]
fn reordering_is_caught() {
    caught(&report::<2>(), "keeps_order");
}

#[test]
fn a_loss_on_nak_is_caught() {
    caught(&report::<3>(), "delivers_again_what_is_nakked");
}

#[test]
fn an_ack_before_the_handler_returns_is_caught() {
    caught(&report::<4>(), "delivers_again_what_is_not_settled");
}

#[test]
fn an_ignored_delay_is_caught() {
    caught(&report::<5>(), "waits_for_the_delay_of_a_nak");
}

#[test]
fn a_loss_to_one_who_left_is_caught() {
    caught(&report::<6>(), "unsubscribes_when_dropped");
}

#[test]
fn a_publisher_that_is_blocked_for_ever_is_caught() {
    caught(&report::<7>(), "keeps_order");
}

#[test]
fn a_member_that_stays_after_it_was_dropped_is_caught() {
    caught(&report::<8>(), "gives_nothing_to_a_member_that_left");
}

#[test]
fn a_subscription_that_stays_after_it_was_dropped_is_caught() {
    let cases: Vec<Case> = flux_conformance::__part!(list basic Ghosts);
    caught(&run(&cases, Flavor::CurrentThread), "is_not_blocked_by_one_who_left");
}

#[test]
fn a_fetch_that_brings_nothing_is_caught() {
    caught(&report::<9>(), "fetches_what_is_there_at_once");
}

#[test]
fn a_fetch_that_does_not_wait_is_caught() {
    caught(&report::<10>(), "fetches_what_there_is_when_time_is_up");
}

#[test]
fn an_error_where_a_fetch_finds_nothing_is_caught() {
    caught(&report::<11>(), "fetches_nothing_without_an_error");
}

#[test]
fn what_is_fetched_and_lost_is_caught() {
    caught(&report::<3>(), "fetches_again_what_was_nakked");
    caught(&report::<4>(), "fetches_again_what_was_not_settled");
}

/// All cases on a bus that answers, with the slip of this number.
fn answered<const SLIP: usize>() -> Report {
    let mut cases = flux_conformance::__part!(list basic Answers<SLIP>);
    cases.extend(flux_conformance::__part!(list outcomes Answers<SLIP>));
    run(&cases, Flavor::CurrentThread)
}

#[test]
fn an_answer_before_it_was_handled_is_caught() {
    caught(&answered::<1>(), "tells_success_when_it_was_handled");
}

#[test]
fn a_time_to_try_again_that_is_not_told_is_caught() {
    caught(&answered::<2>(), "tells_failure_and_when_to_try_again");
}

#[test]
fn an_answer_that_never_comes_for_what_was_dropped_is_caught() {
    caught(&answered::<3>(), "tells_at_once_when_the_delivery_is_dropped");
}

#[test]
fn a_failure_that_another_success_hides_is_caught() {
    caught(&answered::<4>(), "tells_the_worst_of_several");
}

#[test]
fn an_answer_for_one_who_left_is_caught() {
    caught(&answered::<5>(), "unsubscribes_when_dropped");
}

/// The cases that stop the server of a bus with the lapse of this number, and start it again.
fn restarted<const LAPSE: usize>() -> Report {
    let mut cases = flux_conformance::__part!(list restarts Server<LAPSE>);
    cases.extend(flux_conformance::__part!(list restarts_requests Server<LAPSE>));
    cases.extend(flux_conformance::__part!(list restarts_stored Server<LAPSE>));
    run(&cases, Flavor::CurrentThread)
}

#[test]
fn a_receipt_without_a_server_is_caught() {
    caught(&restarted::<1>(), "publishes_as_stated_while_the_server_is_away");
}

#[test]
fn a_connection_that_stays_lost_is_caught() {
    caught(&restarted::<2>(), "publishes_as_stated_while_the_server_is_away");
}

#[test]
fn a_subscription_that_ends_with_the_server_is_caught() {
    caught(&restarted::<3>(), "subscriptions_survive_a_restart");
}

#[test]
fn a_subscription_that_is_silent_after_a_restart_is_caught() {
    caught(&restarted::<4>(), "subscriptions_survive_a_restart");
}

#[test]
fn a_server_that_forgets_what_it_stored_is_caught() {
    caught(&restarted::<5>(), "loses_nothing_that_was_stored");
}

#[test]
fn a_request_that_hangs_without_a_server_is_caught() {
    caught(&restarted::<6>(), "requests_fail_while_the_server_is_away");
}

#[test]
fn a_guess_that_nobody_answers_is_caught() {
    caught(&restarted::<7>(), "requests_fail_while_the_server_is_away");
}

#[test]
fn a_responder_that_is_gone_after_a_restart_is_caught() {
    caught(&restarted::<8>(), "requests_fail_while_the_server_is_away");
}

/// The cases of requests on a bus that calls the responder, with the haste of this number.
fn called<const HASTE: usize>() -> Report {
    let mut cases = flux_conformance::__part!(list requests Inline<HASTE>);
    // It has no other way to get a request.
    cases.retain(|case| ["answers", "serves_one", "goes_on", "brings"].iter().any(|kept| case.name.starts_with(kept)));
    run(&cases, Flavor::CurrentThread)
}

#[test]
fn a_bus_that_calls_passes() {
    let report = called::<0>();
    assert_eq!((report.failed.as_slice(), report.passed.len()), (&[][..], 4));
}

#[test]
fn too_many_calls_at_a_time_are_caught() {
    caught(&called::<1>(), "serves_one_request_at_a_time");
}

#[test]
fn a_call_that_ends_with_its_requester_is_caught() {
    caught(&called::<2>(), "goes_on_when_the_requester_has_gone");
}

#[test]
fn parts_of_a_restart_that_are_left_out_are_noticed() {
    use flux_conformance::probe::{Found, disagreement};
    let found = Found { groups: true, requests: true, pull: false };
    let parts = ["groups", "requests", "redelivers", "restarts", "restarts_requests"];
    let flaw = disagreement::<Server<0>>(found, &parts);
    assert!(flaw.as_deref().is_some_and(|flaw| flaw.contains("restarts_stored")), "{flaw:?}");
}
