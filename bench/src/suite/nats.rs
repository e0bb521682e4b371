//! Work over a real server, next to async-nats with `serde_json` on the same work.

use std::sync::Arc;

#[cfg(feature = "telemetry")]
use flux_telemetry::Sampling;

use crate::contender::Contender;
use crate::contender::nats::flux::{FluxPipeline, FluxPubSub, FluxPull, FluxRequests, FluxRouted, FluxStore};
use crate::contender::nats::raw::{RawPipeline, RawPubSub, RawPull, RawRequests, RawStore};
use crate::contender::nats::ruststream::{RustStreamPubSub, RustStreamPull};
use crate::contender::nats::{AtOnce, InFlight};
#[cfg(feature = "telemetry")]
use crate::contender::observed::Observed;
use crate::contender::service::{Driven, Shape};
use crate::limit::Limit;
use crate::suite::Suite;

/// What is said of every suite here.
const METHOD: &str = "128 bytes of JSON. Each contender starts a server of its own, and uses one connection for \
                      each end, on a runtime with two worker threads; server and client share the machine.";

/// The suites: one for each way to use a server.
#[must_use]
pub fn suites() -> Vec<Suite> {
    let mut suites = vec![publish()];
    suites.extend([(1, 20_000), (64, 200_000)].map(|(width, messages)| requests(width, messages)));
    suites.extend([(1, 20_000), (64, 100_000)].map(|(width, messages)| store(width, messages)));
    suites.extend([pipeline(), pull()]);
    #[cfg(feature = "telemetry")]
    suites.push(observed());
    suites
}

#[cfg(feature = "telemetry")]
fn observed() -> Suite {
    let (none, sampled) = ("flux, nats, no SDK", "flux, nats, 1 % of traces");
    let routed = |name| Driven::<FluxRouted>::new(name, Shape::Across);
    suite(
        "NATS: publish and handle, while an SDK is installed",
        300_000,
        vec![
            Arc::new(routed(none)),
            Arc::new(Observed::new(routed("flux, nats, metrics alone"), Sampling::Never)),
            Arc::new(Observed::new(routed(sampled), Sampling::Ratio(0.01))),
            Arc::new(Observed::new(routed("flux, nats, all traces"), Sampling::Always)),
        ],
        vec![Limit::Times { contender: sampled, at_least: 0.7, other: none }],
    )
}

fn publish() -> Suite {
    let (raw, flux, routed) = ("async-nats, publish", "flux, nats, publish", "flux, nats, routed");
    let ruststream = "RustStream, nats, handled";
    suite(
        "NATS: publish and subscribe",
        500_000,
        vec![
            Arc::new(Driven::<RawPubSub>::new(raw, Shape::Across)),
            Arc::new(Driven::<FluxPubSub>::new(flux, Shape::Across)),
            Arc::new(Driven::<FluxRouted>::new(routed, Shape::Across)),
            Arc::new(Driven::<RustStreamPubSub>::new(ruststream, Shape::Across)),
        ],
        vec![
            Limit::Times { contender: flux, at_least: 0.95, other: raw },
            Limit::Times { contender: routed, at_least: 1.0, other: ruststream },
        ],
    )
}

fn requests(width: u64, messages: u64) -> Suite {
    let (title, raw, flux) = match width {
        1 => ("NATS: request and reply, one at a time", "async-nats, request, 1", "flux, nats, request, 1"),
        _ => ("NATS: request and reply, 64 in flight", "async-nats, request, 64", "flux, nats, request, 64"),
    };
    suite(
        title,
        messages,
        vec![Arc::new(InFlight::<RawRequests>::new(raw, width)), Arc::new(InFlight::<FluxRequests>::new(flux, width))],
        vec![Limit::Times { contender: flux, at_least: 0.95, other: raw }],
    )
}

fn store(width: u64, messages: u64) -> Suite {
    let (title, raw, flux) = match width {
        1 => ("JetStream: publish, one at a time", "async-nats, store, 1", "flux, jetstream, store, 1"),
        _ => ("JetStream: publish, 64 in flight", "async-nats, store, 64", "flux, jetstream, store, 64"),
    };
    suite(
        title,
        messages,
        vec![Arc::new(InFlight::<RawStore>::new(raw, width)), Arc::new(InFlight::<FluxStore>::new(flux, width))],
        vec![Limit::Times { contender: flux, at_least: 0.95, other: raw }],
    )
}

fn pipeline() -> Suite {
    let (raw, flux) = ("async-nats, pipeline", "flux, jetstream, pipeline");
    suite(
        "JetStream: publish, 1,000 receipts outstanding",
        200_000,
        vec![Arc::new(AtOnce::<RawPipeline>::new(raw)), Arc::new(AtOnce::<FluxPipeline>::new(flux))],
        vec![Limit::Times { contender: flux, at_least: 0.95, other: raw }],
    )
}

fn pull() -> Suite {
    let (raw, flux, ruststream) = ("async-nats, pull", "flux, jetstream, pull", "RustStream, jetstream, pull");
    suite(
        "JetStream: pull and ack",
        200_000,
        vec![
            Arc::new(AtOnce::<RawPull>::new(raw)),
            Arc::new(AtOnce::<FluxPull>::new(flux)),
            Arc::new(AtOnce::<RustStreamPull>::new(ruststream)),
        ],
        vec![
            Limit::Times { contender: flux, at_least: 1.0, other: raw },
            Limit::Times { contender: flux, at_least: 1.0, other: ruststream },
        ],
    )
}

fn suite(title: &'static str, messages: u64, contenders: Vec<Arc<dyn Contender>>, limits: Vec<Limit>) -> Suite {
    Suite { command: "nats", title, method: METHOD, messages, contenders, limits }
}
