//! Formatting, as rustfmt would write it.

use crate::cargo::Cargo;
use crate::failure::Failure;
use crate::step::{Checked, Outcome};
use crate::workspace::Workspace;

/// The step.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let format = Cargo::new(["fmt", "--all", "--check"]).run();
    format.map_err(|_| Failure::from("files are not formatted; run `cargo fmt --all`"))?;
    Ok(Checked { count: workspace.packages.len(), what: "crates" })
}
