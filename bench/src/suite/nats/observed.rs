//! What an SDK that records one trace in a hundred costs over a real server.

use std::sync::Arc;

use flux_telemetry::Sampling;

use super::suite;
use crate::contender::Contender;
use crate::contender::flux::Passing;
use crate::contender::nats::InFlight;
use crate::contender::nats::flux::{FluxHandled, FluxRequests, FluxRouted, FluxStore};
use crate::contender::observed::{Observed, Part};
use crate::contender::service::{Driven, Shape};
use crate::limit::Limit;
use crate::suite::Suite;

/// Metrics, and so many of the traces.
const BOTH: Part = Part::Both(Sampling::Ratio(0.01));

/// The suites: the flood that shows each part, and what is done over a server otherwise.
pub(super) fn suites() -> Vec<Suite> {
    vec![flood(), requests(), stores(), handled()]
}

fn flood() -> Suite {
    let (none, header) = ("flux, nats, no SDK", "flux, nats, a trace is passed on");
    let all = "flux, nats, metrics and 1 % of traces";
    let sampled = "flux, nats, metrics and 1 % of traces, passed on when sampled";
    let routed = |name| Driven::<FluxRouted>::new(name, Shape::Across);
    let suite = suite(
        "NATS: publish and handle, while an SDK is installed",
        300_000,
        vec![
            Arc::new(routed(none)),
            Arc::new(Driven::<Passing<FluxRouted>>::new(header, Shape::Across)),
            Arc::new(Observed::new(routed("flux, nats, metrics"), Part::Metrics)),
            Arc::new(Observed::new(routed("flux, nats, 1 % of traces"), Part::Traces(Sampling::Ratio(0.01)))),
            Arc::new(Observed::new(routed(all), BOTH)),
            Arc::new(Observed::new(routed(sampled), BOTH).passing_on_sampled()),
            Arc::new(Observed::new(routed("flux, nats, metrics and all traces"), Part::Both(Sampling::Always))),
        ],
        vec![
            Limit::Times { contender: sampled, at_least: 0.7, other: none },
            Limit::Times { contender: all, at_least: 0.7, other: header },
        ],
    );
    let method = "Messages of 128 bytes that nothing is done with, as fast as they go. By default each carries its trace, recorded \
                  or not: that is one header, which takes a good third of the rate through the client and the server, \
                  whoever writes it. So the whole is held to 0.7 where only sampled traces are passed on; where all are, it \
                  is held to 0.7 of what is left with that header alone.";
    Suite { method, ..suite }
}

fn requests() -> Suite {
    let names = ["flux, nats, request, 64, no SDK", "flux, nats, request, 64, 1 % of traces"];
    let work = |name| InFlight::<FluxRequests<false>>::new(name, 64);
    pair("NATS: request and reply, while an SDK is installed", 200_000, names, work)
}

fn stores() -> Suite {
    let names = ["flux, jetstream, store, 64, no SDK", "flux, jetstream, store, 64, 1 % of traces"];
    let work = |name| InFlight::<FluxStore<false>>::new(name, 64);
    pair("JetStream: publish, while an SDK is installed", 100_000, names, work)
}

fn handled() -> Suite {
    let names = ["flux, jetstream, handled, no SDK", "flux, jetstream, handled, 1 % of traces"];
    let work = |name| Driven::<FluxHandled>::new(name, Shape::Across);
    pair("JetStream: publish and handle, while an SDK is installed", 100_000, names, work)
}

/// The same work without an SDK and with one, as it comes.
fn pair<C: Contender + 'static>(
    title: &'static str,
    messages: u64,
    names: [&'static str; 2],
    work: fn(&'static str) -> C,
) -> Suite {
    let [none, all] = names;
    let contenders: Vec<Arc<dyn Contender>> = vec![Arc::new(work(none)), Arc::new(Observed::new(work(all), BOTH))];
    suite(title, messages, contenders, vec![Limit::Times { contender: all, at_least: 0.7, other: none }])
}
