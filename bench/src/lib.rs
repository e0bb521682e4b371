//! flux-bench: what a message costs in flux, measured next to what a user would pick instead.
//!
//! A contender does one job with one library ([`contender::Contender`]). A suite ([`suite`]) runs
//! the contenders of one question in turns, so that a slow minute of the machine hits all of them,
//! and the report gives medians and ratios. `docs/benchmarks.md` describes the method.

mod child;
mod command;
mod environment;
mod options;
mod turns;

pub mod callgrind;
pub mod contender;
pub mod countdown;
pub mod limit;
pub mod measurement;
pub mod payload;
pub mod report;
pub mod runtime;
pub mod stopwatch;
pub mod suite;

pub use command::main;

/// What every step of the harness returns; the message is printed and the exit status is not zero.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
