//! Writes what a transport keeps of its promises where a tool can read it.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::{Fixture, Report};

/// The environment variable that names the folder for reports.
const FOLDER: &str = "FLUX_CONFORMANCE_REPORT";

impl Report {
    /// Counts the comparison of what is claimed with what is there as a case.
    #[must_use]
    pub fn with_claims(mut self, disagreement: Option<String>) -> Self {
        const NAME: &str = "claims_what_it_has_and_hides_nothing";
        match disagreement {
            None => self.passed.push(NAME),
            Some(flaw) => self.failed.push((NAME, flaw)),
        }
        self
    }

    /// The report as JSON: name, capabilities in the order of the table, cases.
    #[must_use]
    pub fn to_json<F: Fixture>(&self) -> String {
        let columns = F::capabilities().columns();
        let capabilities = columns.iter().map(|(column, text)| format!("{}: {}", quoted(column), quoted(text)));
        let passed = self.passed.iter().map(|name| quoted(name));
        let failed = self.failed.iter().map(|(name, _)| quoted(name));
        format!(
            "{{\"transport\": {}, \"capabilities\": {{{}}}, \"passed\": [{}], \"failed\": [{}]}}\n",
            quoted(F::NAME),
            joined(capabilities),
            joined(passed),
            joined(failed)
        )
    }
}

/// Runs the suite and writes its report, when the environment names a folder for it.
///
/// # Panics
/// When the report cannot be written, or a case failed.
pub fn write_report<F: Fixture>(run: impl FnOnce() -> Report) {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let report = run();
    let file =
        PathBuf::from(folder).join(format!("{}.json", F::NAME.replace(|c: char| !c.is_ascii_alphanumeric(), "-")));
    let written = std::fs::write(&file, report.to_json::<F>());
    assert!(written.is_ok(), "cannot write {}: {written:?}", file.display());
    assert!(report.failed.is_empty(), "{:?}", report.failed);
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
