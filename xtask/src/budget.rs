//! What the smallest program costs, and what each transport of the facade pulls in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
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
/// The crate whose features are counted.
const FACADE: &str = "flux";

#[derive(Debug, Deserialize)]
struct Budgets {
    minimal: Minimal,
    /// Crates besides std, by the one feature of `flux` that is on.
    features: BTreeMap<String, Budget>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
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
    let mut complaints = vec![
        budgets.minimal.crates.compare(PROGRAM, "crates", crates),
        budgets.minimal.bytes.compare(PROGRAM, "bytes", bytes),
    ];
    for (feature, budget) in &budgets.features {
        complaints.push(budget.compare(&format!("flux with `{feature}`"), "crates", crates_of(feature)?));
    }
    Failure::unless_empty(complaints.into_iter().flatten().collect())?;
    Ok(budgets.checked())
}

/// Writes what is measured now to `budgets.toml`; the limits stay.
pub(crate) fn record(workspace: &Workspace) -> Outcome {
    let budgets = read()?;
    let (crates, bytes) = measure(workspace)?;
    let features = budgets.features.keys().map(|feature| Ok((feature.as_str(), crates_of(feature)?)));
    let features = features.collect::<Result<BTreeMap<_, _>, Failure>>()?;
    let text = budgets.record(crates, bytes, &features);
    fs::write(file(), text).map_err(|error| format!("cannot write budgets.toml: {error}"))?;
    Ok(budgets.checked())
}

impl Budget {
    fn compare(self, program: &str, what: &str, now: u64) -> Option<String> {
        let Self { limit, measured } = self;
        println!("{program}: {now} {what}, {measured} when last recorded, at most {limit}");
        (now > limit)
            .then(|| format!("{program}: {now} {what}, at most {limit}; `cargo tree -e normal` shows the crates"))
    }
}

impl Budgets {
    fn record(&self, crates: u64, bytes: u64, features: &BTreeMap<&str, u64>) -> String {
        let Minimal { crates: most_crates, bytes: most_bytes } = self.minimal;
        let mut text = format!(
            "# What the smallest program costs (`xtask/fixtures/minimal`, profile `{PROFILE}`), and how many crates `flux`\n\
             # is with one feature. The limits are promises; `cargo xtask budget --record` rewrites what was measured.\n\n\
             [minimal]\n\
             bytes = {{ limit = {}, measured = {bytes} }}\n\
             crates = {{ limit = {}, measured = {crates} }}\n\n\
             [features]\n",
            most_bytes.limit, most_crates.limit
        );
        for (feature, Budget { limit, .. }) in &self.features {
            let measured = features.get(feature.as_str()).copied().unwrap_or_default();
            let _ = writeln!(text, "{feature} = {{ limit = {limit}, measured = {measured} }}");
        }
        text
    }

    fn checked(&self) -> Checked {
        Checked { count: 2 + self.features.len(), what: "budgets" }
    }
}

/// The crates besides std and the facade itself.
fn crates_of(feature: &str) -> Result<u64, Failure> {
    let args = ["tree", "-p", FACADE, "--no-default-features", "--edges=normal", "--prefix=none", "--format={p}"];
    Ok(count(&Cargo::new(args).args(["--features", feature]).output()?, FACADE))
}

fn measure(workspace: &Workspace) -> Result<(u64, u64), Failure> {
    let args = ["tree", "-p", PROGRAM, "--edges=normal", "--prefix=none", "--format={p}"];
    let crates = count(&Cargo::new(args).output()?, PROGRAM);
    // It runs as well: a small program that does nothing would be easy.
    Cargo::new(["run", "--quiet", "--profile", PROFILE, "-p", PROGRAM]).run()?;
    let program = format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX);
    let binary = workspace.target_directory.join(PROFILE).join(program);
    let bytes = fs::metadata(&binary).map_err(|error| format!("cannot measure {}: {error}", binary.display()))?;
    Ok((crates, bytes.len()))
}

/// The crates besides std and `root` itself; ours count like any other.
fn count(tree: &str, root: &str) -> u64 {
    let name_and_version = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let crates: BTreeSet<String> = tree.lines().map(name_and_version).collect();
    let program = format!("{root} ");
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
        assert_eq!(count(tree, PROGRAM), 2);
    }

    #[test]
    fn over_the_limit_is_a_failure() {
        let budget = Budget { limit: 20, measured: 3 };
        assert!(budget.compare("it", "crates", 20).is_none());
        assert!(budget.compare("it", "crates", 21).is_some());
    }

    #[test]
    fn the_file_of_the_repository_is_what_record_writes() {
        let text = fs::read_to_string(file()).unwrap();
        let budgets: Budgets = toml::from_str(&text).unwrap();
        let features = budgets.features.iter().map(|(feature, budget)| (feature.as_str(), budget.measured)).collect();
        assert_eq!(budgets.record(budgets.minimal.crates.measured, budgets.minimal.bytes.measured, &features), text);
    }
}
