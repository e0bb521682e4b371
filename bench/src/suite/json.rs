//! Values that travel as JSON, in the shapes `RustStream` measures itself in.

use std::sync::Arc;

use crate::contender::flux::FluxJson;
use crate::contender::ruststream::{RustStreamJson, Sendable};
use crate::contender::service::{Driven, Shape};
use crate::limit::Limit;
use crate::payload::{Order, Sample};
use crate::suite::Suite;

/// The suites: what differs is the payload and the shape.
#[must_use]
pub fn suites() -> Vec<Suite> {
    vec![
        suite::<Order>(&Question {
            title: "JSON, two integers: emptying a full queue on one thread",
            shape: Shape::Drain,
            flux: "flux, order, drain",
            ruststream: "RustStream, order, drain",
            allocations: 0.0,
        }),
        suite::<Order>(&Question {
            title: "JSON, two integers: publishing and handling on one thread",
            shape: Shape::Cycle,
            flux: "flux, order, cycle",
            ruststream: "RustStream, order, cycle",
            allocations: 1.0,
        }),
        suite::<Order>(&Question {
            title: "JSON, two integers: publishing bytes and handling across threads",
            shape: Shape::AcrossEncoded,
            flux: "flux, order, bytes across",
            ruststream: "RustStream, order, bytes across",
            allocations: 1.0,
        }),
        suite::<Order>(&Question {
            title: "JSON, two integers: publishing values and handling across threads",
            shape: Shape::Across,
            flux: "flux, order, values across",
            ruststream: "RustStream, order, values across",
            allocations: 1.0,
        }),
        suite::<Sample>(&Question {
            title: "JSON, 128-byte struct: emptying a full queue on one thread",
            shape: Shape::Drain,
            flux: "flux, sample, drain",
            ruststream: "RustStream, sample, drain",
            allocations: 0.0,
        }),
        suite::<Sample>(&Question {
            title: "JSON, 128-byte struct: publishing values and handling across threads",
            shape: Shape::Across,
            flux: "flux, sample, values across",
            ruststream: "RustStream, sample, values across",
            allocations: 1.0,
        }),
    ]
}

/// What one suite asks, and the names of those who answer.
struct Question {
    title: &'static str,
    shape: Shape,
    flux: &'static str,
    ruststream: &'static str,
    /// What the payload's own bytes need.
    allocations: f64,
}

fn suite<T: Sendable>(question: &Question) -> Suite {
    Suite {
        command: "json",
        title: question.title,
        method: question.shape.method(),
        messages: 500_000,
        contenders: vec![
            Arc::new(Driven::<RustStreamJson<T>>::new(question.ruststream, question.shape)),
            Arc::new(Driven::<FluxJson<T>>::new(question.flux, question.shape)),
        ],
        limits: vec![
            Limit::Times { contender: question.flux, at_least: 1.0, other: question.ruststream },
            Limit::Allocations { contender: question.flux, at_most: question.allocations },
        ],
    }
}
