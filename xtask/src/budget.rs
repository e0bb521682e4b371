//! What the smallest program costs: the crates it builds and the bytes of its binary.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

use crate::cargo::Cargo;
use crate::failure::Failure;
use crate::step::{Checked, Outcome};
use crate::workspace::{self, Workspace};

/// The program that is measured, and the profile that it is built with.
const PROGRAM: &str = "flux-minimal";
const PROFILE: &str = "minimal";

#[derive(Debug, Deserialize)]
struct Budgets {
    minimal: Minimal,
}

#[derive(Debug, Deserialize)]
struct Minimal {
    crates: Budget,
    bytes: Budget,
}

/// The most that is allowed, and what was measured when somebody last recorded it.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Budget {
    limit: u64,
    measured: u64,
}

/// The step.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let budgets = read()?;
    let (crates, bytes) = measure(workspace)?;
    let complaints = [budgets.minimal.crates.compare("crates", crates), budgets.minimal.bytes.compare("bytes", bytes)];
    Failure::unless_empty(complaints.into_iter().flatten().collect())?;
    Ok(checked())
}

/// Writes what is measured now to `budgets.toml`; the limits stay.
pub(crate) fn record(workspace: &Workspace) -> Outcome {
    let budgets = read()?;
    let (crates, bytes) = measure(workspace)?;
    let text = budgets.minimal.record(crates, bytes);
    fs::write(file(), text).map_err(|error| format!("cannot write budgets.toml: {error}"))?;
    Ok(checked())
}

impl Budget {
    fn compare(self, what: &str, now: u64) -> Option<String> {
        let Self { limit, measured } = self;
        println!("{PROGRAM}: {now} {what}, {measured} when last recorded, at most {limit}");
        (now > limit)
            .then(|| format!("{now} {what}, at most {limit}; `cargo tree -p {PROGRAM} -e normal` shows the crates"))
    }
}

impl Minimal {
    fn record(&self, crates: u64, bytes: u64) -> String {
        format!(
            "# What the smallest program costs (`xtask/fixtures/minimal`, profile `{PROFILE}`). The limits are\n\
             # promises; `cargo xtask budget --record` rewrites what was measured.\n\n\
             [minimal]\n\
             bytes = {{ limit = {}, measured = {bytes} }}\n\
             crates = {{ limit = {}, measured = {crates} }}\n",
            self.bytes.limit, self.crates.limit
        )
    }
}

fn checked() -> Checked {
    Checked { count: 2, what: "budgets" }
}

fn measure(workspace: &Workspace) -> Result<(u64, u64), Failure> {
    let args = ["tree", "-p", PROGRAM, "--edges=normal", "--prefix=none", "--format={p}"];
    let crates = count(&Cargo::new(args).output()?);
    // It runs as well: a small program that does nothing would be easy.
    Cargo::new(["run", "--quiet", "--profile", PROFILE, "-p", PROGRAM]).run()?;
    let program = format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX);
    let binary = workspace.target_directory.join(PROFILE).join(program);
    let bytes = fs::metadata(&binary).map_err(|error| format!("cannot measure {}: {error}", binary.display()))?;
    Ok((crates, bytes.len()))
}

/// The crates besides std and the program itself; ours count like any other.
fn count(tree: &str) -> u64 {
    let name_and_version = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let crates: BTreeSet<String> = tree.lines().map(name_and_version).collect();
    let program = format!("{PROGRAM} ");
    let others = crates.iter().filter(|name| !name.starts_with(&program));
    others.fold(0, |sum, _| sum + 1)
}

fn read() -> Result<Budgets, Failure> {
    let text = fs::read_to_string(file()).map_err(|error| format!("cannot read budgets.toml: {error}"))?;
    toml::from_str(&text).map_err(|error| format!("cannot read budgets.toml: {error}").into())
}

fn file() -> PathBuf {
    workspace::root().join("budgets.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_counts_once_and_the_program_not_at_all() {
        let tree = "flux-minimal v0.1.0 (here)\nflux v0.1.0 (here)\nbytes v1.12.1\nbytes v1.12.1 (*)\n";
        assert_eq!(count(tree), 2);
    }

    #[test]
    fn over_the_limit_is_a_failure() {
        let budget = Budget { limit: 20, measured: 3 };
        assert!(budget.compare("crates", 20).is_none());
        assert!(budget.compare("crates", 21).is_some());
    }

    #[test]
    fn the_file_of_the_repository_is_what_record_writes() {
        let text = fs::read_to_string(file()).unwrap();
        let Budgets { minimal } = toml::from_str(&text).unwrap();
        assert_eq!(minimal.record(minimal.crates.measured, minimal.bytes.measured), text);
    }
}
