//! Each published crate with no feature, with each alone, and with all of them; and the tests of what lacks a feature.

use crate::cargo::Cargo;
use crate::failure::Failure;
use crate::step::{Checked, Outcome};
use crate::test;
use crate::workspace::{Package, Workspace};

/// The crates, test programs and tests that are there only without a feature, so that `cargo xtask test` has none of them.
const LACKING: &[(&str, &str, &str)] = &[("flux-nats", "it", "secure::without_")];

/// The step. It is clippy that checks, because plain `cargo check` cannot fail on the warnings
/// that a missing feature brings, such as an import that nothing uses.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let mut count = 0;
    let mut complaints = Vec::new();
    for package in workspace.published() {
        for selection in selections(package) {
            count += 1;
            let command = Cargo::new(["clippy", "--quiet", "--no-deps", "-p", &package.name])
                .args(selection)
                .args(["--", "-D", "warnings"]);
            complaints.extend(command.run().err().map(|failure| failure.to_string()));
        }
    }
    for lacking in LACKING {
        count += 1;
        complaints.extend(without(*lacking).err().map(|failure| failure.to_string()));
    }
    Failure::unless_empty(complaints)?;
    Ok(Checked { count, what: "sets of features" })
}

/// Runs the tests of what a crate does without its features.
fn without((package, target, tests): (&str, &str, &str)) -> Result<(), Failure> {
    let command = Cargo::new(["test", "-p", package, "--no-default-features", "--test", target, "--", tests]);
    match test::count(command)?.count {
        0 => Err(format!("{package} has no test `{tests}` without its features").into()),
        _ => Ok(()),
    }
}

/// A feature whose name begins with `_` is a part of others, and nobody turns it on alone.
fn selections(package: &Package) -> Vec<Vec<String>> {
    let none = "--no-default-features".to_owned();
    let is_whole = |(_, parts): &(&String, &Vec<String>)| !parts.is_empty();
    let default = package.features.iter().filter(|(name, _)| *name == "default");
    let others = package.features.iter().filter(|(name, _)| *name != "default" && !name.starts_with('_'));
    let each = default.filter(is_whole).chain(others);
    let mut selections = vec![vec![none.clone()]];
    selections.extend(each.map(|(name, _)| vec![none.clone(), format!("--features={name}")]));
    if package.features.len() > 1 {
        selections.push(vec!["--all-features".to_owned()]);
    }
    selections
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::tests::workspace;

    fn flags(features: &str) -> Vec<String> {
        let package = format!(r#"{{"name": "a", "manifest_path": "", "features": {features}}}"#);
        let workspace = workspace(&package);
        let joined = |selection: Vec<String>| selection.join(" ");
        selections(&workspace.packages[0]).into_iter().map(joined).collect()
    }

    #[test]
    fn a_crate_without_features_is_checked_once() {
        assert_eq!(flags("{}"), ["--no-default-features"]);
    }

    #[test]
    fn none_each_and_all() {
        assert_eq!(
            flags(r#"{"default": ["a"], "a": [], "b": ["dep:b"]}"#),
            [
                "--no-default-features",
                "--no-default-features --features=default",
                "--no-default-features --features=a",
                "--no-default-features --features=b",
                "--all-features",
            ]
        );
    }

    #[test]
    fn a_part_of_other_features_is_not_checked_alone() {
        assert_eq!(
            flags(r#"{"_part": [], "a": ["_part"]}"#),
            ["--no-default-features", "--no-default-features --features=a", "--all-features"]
        );
    }

    #[test]
    fn an_empty_default_is_the_same_as_none() {
        assert_eq!(flags(r#"{"default": []}"#), ["--no-default-features"]);
    }
}
