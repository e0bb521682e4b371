//! The program as a user runs it: what it reads, what it prints, and how it ends.
#![expect(clippy::indexing_slicing, reason = "a field that is missing is a failure of the test")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod arguments;
mod input;
mod server;
mod signals;
mod week;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const WEEK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/flights-week1.jsonl");

fn flights(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flights"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it on this input to its end.
fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = flights(arguments).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that refuses its arguments does not read.
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// The report of a run that succeeded.
#[track_caller]
fn report(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert_eq!(errors, "", "nothing but the report");
    let text = std::str::from_utf8(&output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "one object on one line");
    serde_json::from_str(text).unwrap()
}

/// The report on these bytes, read from standard input.
#[track_caller]
fn report_on(arguments: &[&str], input: &[u8]) -> Value {
    report(&run(&[&["--json", "--input", "-"], arguments].concat(), input))
}

#[track_caller]
fn assert_counts(report: &Value, counts: &[(&str, u64)]) {
    for (name, count) in counts {
        assert_eq!(report[name], *count, "`{name}` of {report}");
    }
}

fn week() -> String {
    std::fs::read_to_string(Path::new(WEEK)).unwrap()
}
