//! The documentation of the published crates, built without a warning.

use crate::cargo::Cargo;
use crate::step::{Checked, Outcome};
use crate::workspace::Workspace;

/// The step.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let names: Vec<&str> = workspace.published().map(|package| &*package.name).collect();
    let packages = names.iter().flat_map(|name| ["-p", name]);
    Cargo::new(["doc", "--quiet", "--no-deps", "--all-features"])
        .args(packages)
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()?;
    Ok(Checked { count: names.len(), what: "crates" })
}
