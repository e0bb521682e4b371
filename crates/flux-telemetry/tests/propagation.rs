//! The set-up says which contexts travel; a program of its own, because OpenTelemetry's globals are one for a process.
#![cfg(feature = "otlp-http")]

use std::time::Duration;

use flux_core::{Headers, Telemetry, subject, telemetry};
use flux_telemetry::{Propagation, Sampling, Setup};

#[test]
fn contexts_of_traces_that_are_not_recorded_stay_behind_when_told_to() {
    // Nobody listens there; nothing is sent either.
    let setup = Setup::new("quiet").with_endpoint("http://127.0.0.1:9").with_flush_limit(Duration::ZERO);
    let setup = setup.without_metrics().with_sampling(Sampling::Never).with_propagation(Propagation::Sampled);
    let _guard = setup.install().expect("installed");
    assert!(telemetry::tracer().is_some(), "there is an SDK, which asks the sampler");
    let mut headers = Headers::new();
    Telemetry::new("mem").send(&subject!("orders.created"), &mut headers).finish(Ok(()));
    assert!(headers.is_empty(), "{headers:?}");
}
