//! The suite is tested by transports that are wrong in one way each: it must catch every one of them.

mod faulty;

use std::time::Duration;

use bytes::Bytes;
use flux_conformance::{Capabilities, Case, Fixture, Flavor, Redelivers, Report, run, transport_suite};
use flux_core::Result;
use flux_mem::{Mem, StreamConfig};

use faulty::{Fault, Faulty};

/// A stream in memory with the fault of this number.
struct Double<const FAULT: usize>;

impl<const FAULT: usize> Fixture for Double<FAULT> {
    type Payload = Bytes;
    type Bus = Faulty;
    const NAME: &'static str = "double";
    const PAUSED: bool = true;

    fn capabilities() -> Capabilities {
        let capabilities = Capabilities::new("the stream holds it", "per stream").with_redelivery();
        match Fault::number(FAULT) {
            Fault::ClaimsRequests => capabilities.with_groups().with_requests(),
            Fault::HidesGroups => capabilities,
            _ => capabilities.with_groups(),
        }
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

#[track_caller]
fn caught(report: &Report, by: &str) {
    let failed: Vec<_> = report.failed.iter().map(|(name, _)| *name).collect();
    assert!(failed.contains(&by), "`{by}` must fail, but only these did: {failed:?}");
}

// A transport without a fault; its tests are the suite's.
transport_suite!(faultless: Double<0>, groups, redelivers);

fn cases_of<const FAULT: usize>() -> Vec<Case> {
    let mut cases = flux_conformance::__part!(list basic Double<FAULT>);
    cases.extend(flux_conformance::__part!(list groups Double<FAULT>));
    cases.extend(flux_conformance::__part!(list redelivers Double<FAULT>));
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
fn delivery_after_unsubscribing_is_caught() {
    caught(&report::<6>(), "unsubscribes_when_dropped");
}

#[test]
fn a_publisher_that_is_blocked_for_ever_is_caught() {
    caught(&report::<7>(), "keeps_order");
}

#[test]
fn a_claim_without_the_ability_is_caught() {
    let claims = claims::<8>();
    assert!(claims.as_deref().is_some_and(|flaw| flaw.contains("claims request-reply")), "{claims:?}");
}

#[test]
fn a_hidden_ability_is_caught() {
    let claims = claims::<9>();
    assert!(claims.as_deref().is_some_and(|flaw| flaw.contains("has queue groups")), "{claims:?}");
}

fn claims<const FAULT: usize>() -> Option<String> {
    use flux_conformance::probe::{Found, HasGroups as _, LacksPull as _, LacksRequests as _, Probe, disagreement};
    let probe = &Probe::<Faulty, Bytes>::new();
    disagreement::<Double<FAULT>>(
        Found { groups: probe.groups(), requests: probe.requests(), pull: probe.pull() },
        &["groups", "redelivers"],
    )
}
