//! Licences, bans and sources of every dependency, by cargo-deny (`deny.toml`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::Cargo;
use crate::failure::Failure;
use crate::step::{Checked, Outcome};
use crate::workspace::{self, Workspace};

/// The release that CI uses; another minor release may read `deny.toml` differently.
const VERSION: &str = "0.20.2";

/// The step. Advisories are left out: their database is no registry's package.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let program = find(&workspace.target_directory)?;
    let checks = ["--all-features", "check", "licenses", "bans", "sources"];
    println!("$ cargo deny {}", checks.join(" "));
    let status = Command::new(&program).args(checks).current_dir(workspace::root()).status();
    let status = status.map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    if !status.success() {
        return Err("see above; drop the dependency, or add an entry with its reason to deny.toml".into());
    }
    Ok(Checked { count: locked_packages()?, what: "locked packages" })
}

/// The program on the path, the one that we built before, or one built now.
fn find(target: &Path) -> Result<PathBuf, Failure> {
    let tools = target.join("tools");
    let built = tools.join("bin").join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX));
    let known = [PathBuf::from("cargo-deny"), built.clone()];
    if let Some(program) = known.into_iter().find(|program| is_current(program)) {
        return Ok(program);
    }
    // The unoptimised build takes half a minute instead of two, and checks in the same second.
    Cargo::new(["install", "--quiet", "--locked", "--debug", "--no-default-features"])
        .args(["cargo-deny", "--force", "--version", VERSION, "--root"])
        .args([&tools])
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_TARGET_DIR", tools.join("build"))
        .run()?;
    Ok(built)
}

fn is_current(program: &Path) -> bool {
    let version = Command::new(program).arg("--version").output().ok();
    let version = version.and_then(|output| String::from_utf8(output.stdout).ok());
    version.is_some_and(|line| line.trim() == format!("cargo-deny {VERSION}"))
}

fn locked_packages() -> Result<usize, Failure> {
    let lock = fs::read_to_string(workspace::root().join("Cargo.lock"));
    let lock = lock.map_err(|error| format!("cannot read Cargo.lock: {error}; commit it"))?;
    Ok(lock.lines().filter(|line| *line == "[[package]]").count())
}
