//! The same harness with an allocator that counts.
//!
//! It is a second program because counting costs an atomic operation per call and would tax the
//! contenders that allocate: the times come from the other one.

use std::alloc::System;
use std::process::ExitCode;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    flux_bench::main()
}
