//! What a transport's conformance suite writes down: what it declares, and which cases held.

use std::path::Path;
use std::{fmt, fs};

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::failure::Failure;

/// The variable that tells the suite which folder to write its reports to.
pub(crate) const VARIABLE: &str = "FLUX_CONFORMANCE_REPORT";

/// One file of that folder.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    pub(crate) transport: String,
    pub(crate) capabilities: Pairs,
    passed: Vec<String>,
    failed: Vec<String>,
}

/// The members of a JSON object in the order in which they were written.
#[derive(Debug)]
pub(crate) struct Pairs(pub(crate) Vec<(String, String)>);

/// Reads every report of the folder, sorted by transport.
pub(crate) fn read_all(folder: &Path) -> Result<Vec<Report>, Failure> {
    let unreadable = |error| format!("cannot read the reports in {}: {error}", folder.display());
    let mut reports = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(&path).map_err(unreadable)?;
            reports.push(parse(&text).map_err(|why| format!("{}: {why}", path.display()))?);
        }
    }
    reports.sort_by(|a, b| a.transport.cmp(&b.transport));
    Ok(reports)
}

/// A report that can stand for its transport: cases ran, and all of them held.
fn parse(text: &str) -> Result<Report, String> {
    let report: Report = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if !report.failed.is_empty() {
        return Err(format!("mend the cases that failed: {}", report.failed.join(", ")));
    }
    if report.passed.is_empty() || report.capabilities.0.is_empty() {
        return Err("no case passed or nothing is declared; run the whole suite".to_owned());
    }
    Ok(report)
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_keep_their_order() {
        let text = r#"{"transport": "mem", "capabilities": {"b": "1", "a": "2"},
            "passed": ["x"], "failed": []}"#;
        let report = parse(text).unwrap();
        let names: Vec<_> = report.capabilities.0.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
    }

    #[test]
    fn a_report_of_failure_or_of_nothing_is_refused() {
        for text in [
            r#"{"transport": "a", "capabilities": {"a": "1"}, "passed": ["x"], "failed": ["y"]}"#,
            r#"{"transport": "a", "capabilities": {"a": "1"}, "passed": [], "failed": []}"#,
            r#"{"transport": "a", "capabilities": {}, "passed": ["x"], "failed": []}"#,
            r#"{"transport": "a"}"#,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
