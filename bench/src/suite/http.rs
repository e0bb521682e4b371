//! Requests of JSON over keep-alive connections, next to a bare hyper service and axum on the same work.

use std::sync::Arc;

use crate::contender::http::{AxumEcho, FluxResponder, FluxRouted, HyperEcho};
use crate::contender::nats::InFlight;
use crate::limit::Limit;
use crate::suite::Suite;

/// The suites: one for each number of connections.
#[must_use]
pub fn suites() -> Vec<Suite> {
    [(1, 40_000), (64, 200_000)].map(|(width, messages)| suite(width, messages)).into()
}

fn suite(width: u64, messages: u64) -> Suite {
    let (title, hyper, axum, served, routed) = match width {
        1 => (
            "HTTP: requests on one connection",
            "hyper, 1",
            "axum, 1",
            "flux, http, served, 1",
            "flux, http, routed, 1",
        ),
        _ => (
            "HTTP: requests on 64 connections",
            "hyper, 64",
            "axum, 64",
            "flux, http, served, 64",
            "flux, http, routed, 64",
        ),
    };
    Suite {
        command: "http",
        title,
        method: "128 bytes of JSON, read and written again by the server, over connections that stay open. The client \
                 writes each request in one piece and reads no more than the length of its answer. The server has two \
                 worker threads; the client shares the machine.",
        messages,
        contenders: vec![
            Arc::new(InFlight::<HyperEcho>::new(hyper, width)),
            Arc::new(InFlight::<AxumEcho>::new(axum, width)),
            Arc::new(InFlight::<FluxResponder>::new(served, width)),
            Arc::new(InFlight::<FluxRouted>::new(routed, width)),
        ],
        limits: vec![
            Limit::Times { contender: served, at_least: 0.9, other: hyper },
            Limit::Times { contender: routed, at_least: 0.9, other: hyper },
            Limit::Times { contender: served, at_least: 1.0, other: axum },
        ],
    }
}
