//! The harness with the system's allocator untouched, which is what times are taken with.

use std::process::ExitCode;

fn main() -> ExitCode {
    flux_bench::main()
}
