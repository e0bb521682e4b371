//! A real Prometheus reads a running example, and must have an answer to every query that the documentation shows.
//!
//! A query that falls back to a constant has one under any name, so `testing/tests/telemetry/names.rs` checks the names as well.

mod prometheus;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cargo::Cargo;
use crate::failure::Failure;
use crate::step::{Checked, Outcome};
use crate::workspace::{self, Workspace};
use prometheus::Prometheus;

const PAGE: &str = "docs/telemetry.md";
const DASHBOARD: &str = "docs/telemetry-dashboard.json";

/// How long rates may take to be there: two scrapes, and the example's start.
const PATIENCE: Duration = Duration::from_secs(60);

/// The step.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let queries = queries()?;
    Cargo::new(["build", "--quiet", "-p", "flux-examples", "--bin", "observed"]).run()?;
    let program = workspace.target_directory.join("debug/observed");
    let mut example = Ended(
        Command::new(&program)
            .args(["--listen", "127.0.0.1:0"])
            .env("OTEL_TRACES_EXPORTER", "none")
            .env("OTEL_METRICS_EXPORTER", "none")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", program.display()))?,
    );
    let address = address(&mut example.0)?;
    let prometheus = Prometheus::start(&workspace.target_directory.join("tools"), &address)?;
    let mut complaints = Vec::new();
    for query in &queries {
        match answer(&prometheus, query) {
            Ok(value) => println!("{value:>12}  {query}"),
            Err(why) => complaints.push(format!("{query}: {why}")),
        }
    }
    Failure::unless_empty(complaints)?;
    Ok(Checked { count: queries.len(), what: "queries" })
}

/// Ends a program that was started.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where the example says that its metrics are.
fn address(example: &mut Child) -> Result<String, Failure> {
    let mut line = String::new();
    if let Some(stdout) = example.stdout.take() {
        BufReader::new(stdout).read_line(&mut line).map_err(|error| format!("the example cannot be read: {error}"))?;
    }
    let address = line.trim().strip_prefix("metrics at http://").and_then(|rest| rest.strip_suffix("/metrics"));
    Ok(address.ok_or_else(|| format!("the example said `{}` and no address", line.trim()))?.to_owned())
}

/// Those of the page and of the dashboard.
fn queries() -> Result<Vec<String>, Failure> {
    let read = |path: &str| {
        std::fs::read_to_string(workspace::root().join(path)).map_err(|error| format!("cannot read {path}: {error}"))
    };
    let mut queries = in_page(&read(PAGE)?);
    let dashboard: Value =
        serde_json::from_str(&read(DASHBOARD)?).map_err(|error| format!("{DASHBOARD} is no JSON: {error}"))?;
    for target in list(&dashboard, "panels").flat_map(|panel| list(panel, "targets")) {
        queries.extend(target.get("expr").and_then(Value::as_str).map(str::to_owned));
    }
    queries.sort();
    queries.dedup();
    Ok(queries)
}

/// What is listed under a name, if anything is.
fn list<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// The blocks marked `promql`.
fn in_page(page: &str) -> Vec<String> {
    let blocks = page.split("```promql\n").skip(1);
    blocks.filter_map(|rest| rest.split("```").next()).map(|query| query.trim().to_owned()).collect()
}

/// The first number, once there is one.
#[expect(clippy::disallowed_methods, reason = "there is no runtime here, and nothing is proven by the wait")]
fn answer(prometheus: &Prometheus, query: &str) -> Result<String, String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let said = prometheus.query(query)?;
        let value = said.pointer("/data/result/0/value/1").and_then(Value::as_str).unwrap_or_default();
        if value.parse::<f64>().is_ok_and(f64::is_finite) {
            return Ok(value.to_owned());
        }
        if Instant::now() > deadline {
            return Err(format!("Prometheus says {said}"));
        }
        sleep(Duration::from_millis(500));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_the_marked_blocks() {
        assert_eq!(in_page("a\n```promql\nup\n```\n```rust\nno\n```\n```promql\nsum(up)\n```\n"), ["up", "sum(up)"]);
    }
}
