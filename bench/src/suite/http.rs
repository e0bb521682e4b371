//! Requests of JSON over keep-alive connections, next to a bare hyper service and axum on the same work.

use std::sync::Arc;

use crate::contender::Contender;
use crate::contender::http::wrk::{self, UnderWrk};
use crate::contender::http::{AxumEcho, Echo, FluxResponder, FluxRouted, HyperEcho};
use crate::contender::nats::InFlight;
use crate::contender::processor::OnOneProcessor;
use crate::limit::Limit;
use crate::suite::Suite;

/// Who answers: hyper alone, axum, flux without and with its router.
type Names = [&'static str; 4];

/// Who asks.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Client {
    /// Tasks in the process of the server.
    Inside,
    Wrk,
}

/// What the server and its client run on.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Processors {
    /// All there are. One that has nothing to do sleeps, and takes its time to wake.
    All,
    /// One, so that nothing counts but the work.
    One,
}

#[derive(Clone, Copy)]
struct Load {
    client: Client,
    connections: u64,
    processors: Processors,
}

/// The suites: with a client in the same process, and with wrk where it is installed.
///
/// On one connection there is nothing to do side by side: with more processors than one, each would sleep twice in every request. A client
/// in the process of the server has its threads as well, and which of them sleep is chance.
#[must_use]
pub fn suites() -> Vec<Suite> {
    let inside = |connections| Load { client: Client::Inside, connections, processors: Processors::One };
    let outside = |connections, processors| Load { client: Client::Wrk, connections, processors };
    let mut suites = vec![
        inside(1).suite(
            "HTTP: requests on one connection",
            ["hyper, 1", "axum, 1", "flux, http, served, 1", "flux, http, routed, 1"],
        ),
        inside(64).suite(
            "HTTP: requests on 64 connections",
            ["hyper, 64", "axum, 64", "flux, http, served, 64", "flux, http, routed, 64"],
        ),
    ];
    if wrk::is_installed() {
        suites.extend([
            outside(1, Processors::One).suite(
                "HTTP: wrk on one connection",
                ["hyper, wrk 1", "axum, wrk 1", "flux, http, served, wrk 1", "flux, http, routed, wrk 1"],
            ),
            outside(64, Processors::All).suite(
                "HTTP: wrk on 64 connections",
                ["hyper, wrk 64", "axum, wrk 64", "flux, http, served, wrk 64", "flux, http, routed, wrk 64"],
            ),
            outside(64, Processors::One).suite(
                "HTTP: wrk on 64 connections, one processor",
                [
                    "hyper, wrk 64 on one",
                    "axum, wrk 64 on one",
                    "flux, http, served, wrk 64 on one",
                    "flux, http, routed, wrk 64 on one",
                ],
            ),
        ]);
    }
    suites
}

impl Load {
    fn suite(self, title: &'static str, names: Names) -> Suite {
        let [hyper, axum, served, routed] = names;
        Suite {
            command: "http",
            title,
            method: self.method(),
            messages: if self.connections == 1 { 40_000 } else { 200_000 },
            contenders: vec![
                self.on::<HyperEcho>(hyper),
                self.on::<AxumEcho>(axum),
                self.on::<FluxResponder>(served),
                self.on::<FluxRouted>(routed),
            ],
            limits: limits(names),
        }
    }

    fn on<E: Echo>(self, name: &'static str) -> Arc<dyn Contender> {
        let contender: Arc<dyn Contender> = match self.client {
            Client::Inside => Arc::new(InFlight::<E>::new(name, self.connections)),
            Client::Wrk => Arc::new(UnderWrk::<E>::new(name, self.connections)),
        };
        match self.processors {
            Processors::All => contender,
            Processors::One => Arc::new(OnOneProcessor(contender)),
        }
    }

    const fn method(self) -> &'static str {
        match (self.client, self.processors) {
            (Client::Inside, _) => {
                "128 bytes of JSON, read and written again by the server, over connections that stay open. The client writes each \
                 request in one piece and reads no more than the length of its answer. It and the server have one processor."
            }
            (Client::Wrk, Processors::All) => {
                "The same servers under wrk, which has one thread and shares the machine."
            }
            (Client::Wrk, Processors::One) => {
                "The same servers under wrk, which has one thread. It and the server have one processor."
            }
        }
    }
}

fn limits([hyper, axum, served, routed]: Names) -> Vec<Limit> {
    vec![
        Limit::Times { contender: served, at_least: 0.9, other: hyper },
        Limit::Times { contender: routed, at_least: 0.9, other: hyper },
        Limit::Times { contender: routed, at_least: 1.0, other: axum },
    ]
}
