//! Lints, crate by crate: a feature that a neighbour turns on must not hide a warning.

use crate::cargo::Cargo;
use crate::failure::Failure;
use crate::step::{Checked, Outcome};
use crate::workspace::Workspace;

/// The step.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let mut complaints = Vec::new();
    for package in &workspace.packages {
        let command = Cargo::new(["clippy", "--quiet", "--all-targets", "--all-features"]).args([
            "--no-deps",
            "-p",
            &package.name,
            "--",
            "-D",
            "warnings",
        ]);
        complaints.extend(command.run().err().map(|failure| failure.to_string()));
    }
    Failure::unless_empty(complaints)?;
    Ok(Checked { count: workspace.packages.len(), what: "crates" })
}
