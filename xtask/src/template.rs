//! The templates of a new transport: what they write must compile, and its suite must fail.

use std::fs;
use std::path::Path;

use crate::cargo::Cargo;
use crate::failure::Failure;
use crate::step::{Checked, Outcome};
use crate::workspace::{self, Workspace};
use crate::{new_transport, test};

const NAME: &str = "sample";

/// The step. It writes a workspace of its own, so that ours stays as it is.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let folder = workspace.target_directory.join("template");
    workspace::renew(&folder)?;
    write(&folder)?;
    new_transport::write(&folder, NAME)?;
    let cargo = |verb| Cargo::new([verb, "--quiet", "--manifest-path"]).args([folder.join("Cargo.toml")]);
    cargo("clippy").args(["--no-deps", "--all-targets", "--", "-D", "warnings"]).run()?;
    cargo("test").args(["--no-run"]).run()?;
    // What these tests print would look like a failure of ours.
    let (tally, _) = test::tally(cargo("test").args(["--no-fail-fast"]).hush_errors(), |_| {});
    if tally.failed == 0 {
        return Err("a transport that does nothing passes its suite; mend xtask/templates or the suite".into());
    }
    Ok(Checked { count: tally.passed + tally.failed, what: "tests of a new transport" })
}

/// Our root manifest with another member, so that the new one inherits what all inherit.
fn write(folder: &Path) -> Result<(), Failure> {
    let root = workspace::root();
    let unwritten = |error| format!("cannot write {}: {error}", folder.display());
    let manifest = fs::read_to_string(root.join("Cargo.toml")).map_err(unwritten)?;
    fs::write(folder.join("Cargo.toml"), elsewhere(&manifest, &root.to_string_lossy())).map_err(unwritten)?;
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).map_err(unwritten)?;
    Ok(())
}

fn elsewhere(manifest: &str, root: &str) -> String {
    let line = |line: &str| {
        if line.starts_with("members = ") {
            format!("members = [\"flux-{NAME}\"]\n")
        } else if line.starts_with("exclude = ") {
            String::new()
        } else {
            line.replace("path = \"", &format!("path = \"{root}/")) + "\n"
        }
    };
    manifest.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_has_one_member_and_whole_paths() {
        let manifest = "members = [\"crates/*\"]\nexclude = [\"fuzz\"]\na = { path = \"crates/a\" }\n";
        let expected = "members = [\"flux-sample\"]\na = { path = \"here/crates/a\" }\n";
        assert_eq!(elsewhere(manifest, "here"), expected);
    }
}
