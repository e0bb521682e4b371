//! The benchmarks: flux against what a user would pick instead.

use crate::cargo::Cargo;
use crate::failure::Failure;

/// Runs them; `args` go to the program.
pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    Cargo::new(["run", "--release", "-p", "flux-bench", "--"]).args(args).run()
}
