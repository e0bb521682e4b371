#![doc = include_str!("../README.md")]

mod case;
pub mod cases;
mod fixture;
pub mod probe;
mod report;
mod suite;

pub use case::{Case, Flavor, Flaw, Report, Verdict, run};
pub use fixture::{Capabilities, Fixture, Groups, Pull, Redelivers, Requests, Restarts, WhileAway};
pub use report::write_report;
