//! The examples on real data: flights on each transport, and the import that survives an outage.

use serde_json::Value;

use crate::cargo::Cargo;
use crate::failure::Failure;
use crate::step::{Checked, Outcome};
use crate::workspace::Workspace;

const TRANSPORTS: &[&str] = &["mem", "stream", "nats", "jetstream", "http"];

/// The step; each program asserts its own invariants and says so by its exit status.
pub(crate) fn run(_: &Workspace) -> Outcome {
    let mut count = 0;
    for transport in TRANSPORTS {
        let json = report("flights", &["--transport", transport])?;
        count += lines(&json, &["decoded", "dead_letters"]).map_err(|why| format!("flights on {transport}: {why}"))?;
    }
    let json = report("resilient_import", &[])?;
    count +=
        lines(&json, &["undecodable", "stored", "duplicates"]).map_err(|why| format!("resilient_import: {why}"))?;
    Ok(Checked { count, what: "flights" })
}

/// What the example prints with `--json`.
fn report(example: &str, args: &[&str]) -> Result<String, Failure> {
    let mut json = String::new();
    Cargo::new(["run", "--quiet", "--release", "-p", "flux-examples", "--bin", example, "--", "--json"])
        .args(args)
        .each_line(|line| json.push_str(line))?;
    println!("{json}");
    Ok(json)
}

/// The number of input lines, each of which is accounted for by one of `parts`.
fn lines(json: &str, parts: &[&str]) -> Result<usize, String> {
    let report: Value =
        serde_json::from_str(json).map_err(|error| format!("no JSON object on standard output: {error}"))?;
    let number = |name: &str| {
        let found = report.get(name).and_then(Value::as_u64);
        let found = found.and_then(|number| usize::try_from(number).ok());
        found.ok_or_else(|| format!("the report lacks a number `{name}`"))
    };
    let lines = number("lines")?;
    let accounted: usize = parts.iter().map(|part| number(part)).sum::<Result<_, _>>()?;
    if lines == 0 || lines != accounted {
        return Err(format!("lines and {} do not add up: {json}", parts.join(", ")));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_must_add_up() {
        let parts = ["decoded", "dead_letters"];
        assert_eq!(lines(r#"{"lines": 3, "decoded": 2, "dead_letters": 1}"#, &parts), Ok(3));
        for json in [
            "",
            "{}",
            r#"{"lines": 0, "decoded": 0, "dead_letters": 0}"#,
            r#"{"lines": 3, "decoded": 2, "dead_letters": 0}"#,
        ] {
            assert!(lines(json, &parts).is_err(), "{json}");
        }
    }
}
