//! Requests of JSON over keep-alive connections, next to a bare hyper service and axum on the same work.

use std::sync::Arc;

use crate::contender::http::wrk::{self, UnderWrk};
use crate::contender::http::{AxumEcho, FluxResponder, FluxRouted, HyperEcho};
use crate::contender::nats::InFlight;
use crate::limit::Limit;
use crate::suite::Suite;

/// Who answers: hyper alone, axum, flux without and with its router.
type Names = [&'static str; 4];

/// The suites: one for each number of connections, with a client in the same process, and with wrk where it is installed.
#[must_use]
pub fn suites() -> Vec<Suite> {
    let mut suites = vec![
        inside(1, 40_000, ["hyper, 1", "axum, 1", "flux, http, served, 1", "flux, http, routed, 1"]),
        inside(64, 200_000, ["hyper, 64", "axum, 64", "flux, http, served, 64", "flux, http, routed, 64"]),
    ];
    if wrk::is_installed() {
        suites.extend([
            outside(
                1,
                40_000,
                ["hyper, wrk 1", "axum, wrk 1", "flux, http, served, wrk 1", "flux, http, routed, wrk 1"],
            ),
            outside(
                64,
                200_000,
                ["hyper, wrk 64", "axum, wrk 64", "flux, http, served, wrk 64", "flux, http, routed, wrk 64"],
            ),
        ]);
    }
    suites
}

fn inside(width: u64, messages: u64, names: Names) -> Suite {
    let [hyper, axum, served, routed] = names;
    Suite {
        command: "http",
        title: if width == 1 { "HTTP: requests on one connection" } else { "HTTP: requests on 64 connections" },
        method: "128 bytes of JSON, read and written again by the server, over connections that stay open. The client \
                 writes each request in one piece and reads no more than the length of its answer. The server has two \
                 worker threads; the client shares them.",
        messages,
        contenders: vec![
            Arc::new(InFlight::<HyperEcho>::new(hyper, width)),
            Arc::new(InFlight::<AxumEcho>::new(axum, width)),
            Arc::new(InFlight::<FluxResponder>::new(served, width)),
            Arc::new(InFlight::<FluxRouted>::new(routed, width)),
        ],
        limits: limits(names),
    }
}

fn outside(width: u64, messages: u64, names: Names) -> Suite {
    let [hyper, axum, served, routed] = names;
    Suite {
        command: "http",
        title: if width == 1 { "HTTP: wrk on one connection" } else { "HTTP: wrk on 64 connections" },
        method: "The same servers under wrk, which has one thread and shares the machine.",
        messages,
        contenders: vec![
            Arc::new(UnderWrk::<HyperEcho>::new(hyper, width)),
            Arc::new(UnderWrk::<AxumEcho>::new(axum, width)),
            Arc::new(UnderWrk::<FluxResponder>::new(served, width)),
            Arc::new(UnderWrk::<FluxRouted>::new(routed, width)),
        ],
        limits: limits(names),
    }
}

fn limits([hyper, axum, served, routed]: Names) -> Vec<Limit> {
    vec![
        Limit::Times { contender: served, at_least: 0.9, other: hyper },
        Limit::Times { contender: routed, at_least: 0.9, other: hyper },
        Limit::Times { contender: routed, at_least: 1.0, other: axum },
    ]
}
