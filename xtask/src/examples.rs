//! The main example on real data, on each transport.

use serde_json::Value;

use crate::cargo::Cargo;
use crate::step::{Checked, Outcome};
use crate::workspace::Workspace;

const TRANSPORTS: &[&str] = &["mem", "stream", "nats", "jetstream"];

/// The step; the program asserts its own invariants and says so by its exit status.
pub(crate) fn run(_: &Workspace) -> Outcome {
    let mut count = 0;
    for transport in TRANSPORTS {
        let mut json = String::new();
        Cargo::new(["run", "--quiet", "--release", "-p", "flux-examples", "--bin", "flights"])
            .args(["--", "--json", "--transport", transport])
            .each_line(|line| json.push_str(line))?;
        count += lines(&json).map_err(|why| format!("flights on {transport}: {why}"))?;
        println!("{json}");
    }
    Ok(Checked { count, what: "flights" })
}

/// The number of input lines that the report accounts for.
fn lines(json: &str) -> Result<usize, String> {
    let report: Value =
        serde_json::from_str(json).map_err(|error| format!("no JSON object on standard output: {error}"))?;
    let number = |name: &str| {
        let found = report.get(name).and_then(Value::as_u64);
        let found = found.and_then(|number| usize::try_from(number).ok());
        found.ok_or_else(|| format!("the report lacks a number `{name}`"))
    };
    let lines = number("lines")?;
    if lines == 0 || lines != number("decoded")? + number("dead_letters")? {
        return Err(format!("lines, decoded and dead letters do not add up: {json}"));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_must_add_up() {
        assert_eq!(lines(r#"{"lines": 3, "decoded": 2, "dead_letters": 1}"#), Ok(3));
        for json in [
            "",
            "{}",
            r#"{"lines": 0, "decoded": 0, "dead_letters": 0}"#,
            r#"{"lines": 3, "decoded": 2, "dead_letters": 0}"#,
        ] {
            assert!(lines(json).is_err(), "{json}");
        }
    }
}
