//! The fuzz targets: they stand outside of the workspace, so only this step compiles them.

use std::fs;

use crate::cargo::Cargo;
use crate::step::{Checked, Outcome};
use crate::workspace::{self, Workspace};

const FOLDER: &str = "fuzz";

/// The step. A target compiles with the pinned toolchain; running it needs nightly and cargo-fuzz.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let manifest = workspace::root().join(FOLDER).join("Cargo.toml");
    let text = fs::read_to_string(&manifest)
        .map_err(|error| format!("cannot read {FOLDER}/Cargo.toml: {error}; bring it back"))?;
    let table: toml::Table = text.parse().map_err(|error| format!("cannot read {FOLDER}/Cargo.toml: {error}"))?;
    let targets = table.get("bin").and_then(toml::Value::as_array);
    Cargo::new(["check", "--quiet", "--bins", "--manifest-path"])
        .args([&manifest])
        .env("CARGO_TARGET_DIR", workspace.target_directory.join(FOLDER))
        .run()?;
    Ok(Checked { count: targets.map_or(0, Vec::len), what: "fuzz targets" })
}
