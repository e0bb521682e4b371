//! Values moved between two tasks of one process.

use std::sync::Arc;

use crate::contender::flux::Flux;
use crate::contender::mpsc::Mpsc;
use crate::contender::omniqueue::{Json, Omniqueue, Raw};
use crate::contender::ruststream::RustStreamJson;
use crate::contender::ruststream::bytes::RustStreamBytes;
use crate::contender::service::{Driven, Shape};
use crate::limit::Limit;
use crate::payload::Sample;
use crate::suite::Suite;

const FLUX: &str = "flux";
const MPSC: &str = "tokio mpsc";
const OMNIQUEUE: &str = "omniqueue, JSON";
const RUSTSTREAM: &str = "RustStream, JSON";

/// The suite.
#[must_use]
pub fn suite() -> Suite {
    Suite {
        command: "mem",
        title: "In process: 128 bytes from one task to another",
        method: "One publisher and one handler on a runtime with two worker threads, in bursts of 10,000. \
                 RustStream and omniqueue cannot pass a value without encoding it; JSON is how they \
                 pass a typed one. The rows with bytes show what is left of them when encoding \
                 costs next to nothing.",
        messages: 1_000_000,
        contenders: vec![
            Arc::new(Driven::<Mpsc>::new(MPSC, Shape::Across)),
            Arc::new(Driven::<Flux>::new(FLUX, Shape::Across)),
            Arc::new(Driven::<RustStreamJson<Sample>>::new(RUSTSTREAM, Shape::Across)),
            Arc::new(Driven::<RustStreamBytes>::new("RustStream, bytes", Shape::Across)),
            Arc::new(Driven::<Omniqueue<Json>>::new(OMNIQUEUE, Shape::Across)),
            Arc::new(Driven::<Omniqueue<Raw>>::new("omniqueue, bytes", Shape::Across)),
        ],
        limits: vec![
            times(0.5, MPSC),
            times(3.0, RUSTSTREAM),
            times(3.0, OMNIQUEUE),
            Limit::Allocations { contender: FLUX, at_most: 0.0 },
        ],
    }
}

fn times(at_least: f64, other: &'static str) -> Limit {
    Limit::Times { contender: FLUX, at_least, other }
}
