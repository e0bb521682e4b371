//! The conformance suite of one transport.

use crate::cargo::Cargo;
use crate::step::Outcome;
use crate::test;

/// Runs the suite of `flux-<name>`; the full name does as well.
pub(crate) fn run(name: &str) -> Outcome {
    let short = name.strip_prefix("flux-").unwrap_or(name);
    test::count(suite(&format!("flux-{short}")))
}

/// The command that runs the suite of that crate.
pub(crate) fn suite(package: &str) -> Cargo {
    Cargo::new(["test", "--all-features", "--test", "conformance", "-p", package])
}
