//! Work over a real server, next to async-nats with `serde_json` on the same work.

#[cfg(feature = "telemetry")]
mod observed;

use std::sync::Arc;

use crate::contender::Contender;
use crate::contender::nats::flux::{
    FluxByString, FluxPipeline, FluxPubSub, FluxPull, FluxRequests, FluxRouted, FluxStore,
};
use crate::contender::nats::raw::{RawPipeline, RawPubSub, RawPull, RawRequests, RawStore};
use crate::contender::nats::ruststream::{RustStreamPubSub, RustStreamPull, RustStreamRequests, RustStreamStore};
use crate::contender::nats::{AtOnce, InFlight};
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
    suites.extend(observed::suites());
    suites
}

fn publish() -> Suite {
    let names = Names {
        raw: "async-nats, publish",
        same: "async-nats with headers, publish",
        flux: "flux, nats, publish",
        full: "flux with headers, publish",
    };
    let (by_string, routed) = ("flux, nats, publish by string", "flux, nats, routed");
    let ruststream = "RustStream, nats, handled";
    let mut contenders = four(
        Arc::new(Driven::<RawPubSub<false>>::new(names.raw, Shape::Across)),
        Arc::new(Driven::<RawPubSub<true>>::new(names.same, Shape::Across)),
        Arc::new(Driven::<FluxPubSub<false>>::new(names.flux, Shape::Across)),
        Arc::new(Driven::<FluxPubSub<true>>::new(names.full, Shape::Across)),
    );
    contenders.push(Arc::new(Driven::<FluxByString>::new(by_string, Shape::Across)));
    contenders.push(Arc::new(Driven::<FluxRouted>::new(routed, Shape::Across)));
    contenders.push(Arc::new(Driven::<RustStreamPubSub>::new(ruststream, Shape::Across)));
    let mut limits = names.limits();
    let rival = |contender| Limit::Times { contender, at_least: 1.0, other: ruststream };
    limits.extend([
        rival(names.flux),
        rival(routed),
        Limit::Times { contender: by_string, at_least: 0.9, other: names.raw },
    ]);
    suite("NATS: publish and subscribe", 500_000, contenders, limits)
}

/// The same work in four ways.
struct Names {
    raw: &'static str,
    /// With the headers that flux sends on request.
    same: &'static str,
    flux: &'static str,
    /// With the content type of JSON and the deadline, which are options.
    full: &'static str,
}

/// The contenders, each next to the one it is held against.
fn four(
    raw: Arc<dyn Contender>,
    same: Arc<dyn Contender>,
    flux: Arc<dyn Contender>,
    full: Arc<dyn Contender>,
) -> Vec<Arc<dyn Contender>> {
    vec![raw, flux, same, full]
}

impl Names {
    /// flux is held against the raw client, as it comes and with all the headers that it can be told to send.
    fn limits(&self) -> Vec<Limit> {
        let &Self { raw, same, flux, full } = self;
        [(flux, raw), (full, same)].map(|(contender, other)| Limit::Times { contender, at_least: 0.95, other }).to_vec()
    }
}

fn requests(width: u64, messages: u64) -> Suite {
    let (title, names, ruststream) = match width {
        1 => (
            "NATS: request and reply, one at a time",
            Names {
                raw: "async-nats, request, 1",
                same: "async-nats with headers, request, 1",
                flux: "flux, nats, request, 1",
                full: "flux with headers, request, 1",
            },
            "RustStream, nats, request, 1",
        ),
        _ => (
            "NATS: request and reply, 64 in flight",
            Names {
                raw: "async-nats, request, 64",
                same: "async-nats with headers, request, 64",
                flux: "flux, nats, request, 64",
                full: "flux with headers, request, 64",
            },
            "RustStream, nats, request, 64",
        ),
    };
    let mut contenders = four(
        Arc::new(InFlight::<RawRequests<false>>::new(names.raw, width)),
        Arc::new(InFlight::<RawRequests<true>>::new(names.same, width)),
        Arc::new(InFlight::<FluxRequests<false>>::new(names.flux, width)),
        Arc::new(InFlight::<FluxRequests<true>>::new(names.full, width)),
    );
    contenders.push(Arc::new(InFlight::<RustStreamRequests>::new(ruststream, width)));
    let mut limits = names.limits();
    limits.push(Limit::Times { contender: names.flux, at_least: 1.0, other: ruststream });
    suite(title, messages, contenders, limits)
}

fn store(width: u64, messages: u64) -> Suite {
    let (title, names, ruststream) = match width {
        1 => (
            "JetStream: publish, one at a time",
            Names {
                raw: "async-nats, store, 1",
                same: "async-nats with headers, store, 1",
                flux: "flux, jetstream, store, 1",
                full: "flux with headers, store, 1",
            },
            "RustStream, jetstream, store, 1",
        ),
        _ => (
            "JetStream: publish, 64 in flight",
            Names {
                raw: "async-nats, store, 64",
                same: "async-nats with headers, store, 64",
                flux: "flux, jetstream, store, 64",
                full: "flux with headers, store, 64",
            },
            "RustStream, jetstream, store, 64",
        ),
    };
    let mut contenders = four(
        Arc::new(InFlight::<RawStore<false>>::new(names.raw, width)),
        Arc::new(InFlight::<RawStore<true>>::new(names.same, width)),
        Arc::new(InFlight::<FluxStore<false>>::new(names.flux, width)),
        Arc::new(InFlight::<FluxStore<true>>::new(names.full, width)),
    );
    contenders.push(Arc::new(InFlight::<RustStreamStore>::new(ruststream, width)));
    let mut limits = names.limits();
    limits.push(Limit::Times { contender: names.flux, at_least: 1.0, other: ruststream });
    suite(title, messages, contenders, limits)
}

fn pipeline() -> Suite {
    let names = Names {
        raw: "async-nats, pipeline",
        same: "async-nats with headers, pipeline",
        flux: "flux, jetstream, pipeline",
        full: "flux with headers, pipeline",
    };
    let contenders = four(
        Arc::new(AtOnce::<RawPipeline<false>>::new(names.raw)),
        Arc::new(AtOnce::<RawPipeline<true>>::new(names.same)),
        Arc::new(AtOnce::<FluxPipeline<false>>::new(names.flux)),
        Arc::new(AtOnce::<FluxPipeline<true>>::new(names.full)),
    );
    suite("JetStream: publish, 1,000 receipts outstanding", 200_000, contenders, names.limits())
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
