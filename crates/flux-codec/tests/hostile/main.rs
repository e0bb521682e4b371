//! What is hostile is an error: no panic, no stack overflow, no loop without end, no memory that bytes do not account for.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod auto;
mod elements;
mod lengths;
mod levels;
mod memory;
mod mutations;
mod shapes;
