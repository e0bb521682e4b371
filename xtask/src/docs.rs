//! The generated part of the README: what each transport guarantees, as its suite has shown.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::report::{self, Report};
use crate::step::{Checked, Outcome};
use crate::workspace::{self, Workspace};
use crate::{conform, table, test};

const BEGIN: &str = "<!-- guarantees:begin -->\n";
const END: &str = "<!-- guarantees:end -->";

/// Runs the suites and rewrites the README.
pub(crate) fn write(workspace: &Workspace) -> Outcome {
    generate(workspace, |old, new| {
        if old != new {
            fs::write(readme(), new).map_err(|error| format!("cannot write README.md: {error}"))?;
        }
        Ok(())
    })
}

/// Runs the suites and fails when the README says something else.
pub(crate) fn check(workspace: &Workspace) -> Outcome {
    generate(workspace, |old, new| {
        if old == new {
            Ok(())
        } else {
            Err("the table of guarantees in README.md is old; run `cargo xtask docs`".into())
        }
    })
}

fn generate(workspace: &Workspace, settle: impl FnOnce(&str, &str) -> Result<(), Failure>) -> Outcome {
    let mut reports = Vec::new();
    for package in workspace.transports() {
        let folder = workspace.target_directory.join("conformance").join(&package.name);
        reports.extend(collect(&package.name, &folder)?);
    }
    if reports.is_empty() {
        return Err("no crate runs the conformance suite; a transport has tests/conformance.rs".into());
    }
    let old = fs::read_to_string(readme());
    let old = old.map_err(|error| format!("cannot read README.md: {error}"))?;
    let count = reports.len();
    // Under a codec a transport promises the same, once more.
    reports.retain(|report| !report.transport.ends_with(", encoded"));
    let new = splice(&old, &table::render(&reports))?;
    settle(&old, &new)?;
    Ok(Checked { count, what: "conformance reports" })
}

/// Each transport must report, or its row would vanish from the table in silence.
fn collect(package: &str, folder: &Path) -> Result<Vec<Report>, Failure> {
    workspace::renew(folder)?;
    test::count(conform::suite(package).env(report::VARIABLE, folder))?;
    let reports = report::read_all(folder)?;
    if reports.is_empty() {
        let variable = report::VARIABLE;
        let complaint = format!("the suite of {package} wrote no report to ${variable}; mend it");
        return Err(complaint.into());
    }
    Ok(reports)
}

fn splice(readme: &str, table: &str) -> Result<String, Failure> {
    let parts = readme.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some(format!("{before}{BEGIN}{table}{END}{after}"))
    });
    parts.ok_or_else(|| format!("README.md lacks the lines {} and {END}", BEGIN.trim()).into())
}

fn readme() -> PathBuf {
    workspace::root().join("README.md")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_text_between_the_marks_changes() {
        let readme = format!("a\n{BEGIN}old\n{END}\nb\n");
        let expected = format!("a\n{BEGIN}new\n{END}\nb\n");
        assert_eq!(splice(&readme, "new\n").unwrap(), expected);
    }

    #[test]
    fn a_readme_without_marks_is_a_failure() {
        for readme in ["", BEGIN, END, "<!-- guarantees:end -->\n<!-- guarantees:begin -->\n"] {
            assert!(splice(readme, "new\n").is_err(), "{readme}");
        }
    }
}
