//! Signals, and readers that leave.
#![cfg(unix)]

use std::io::Write as _;
use std::process::{Child, Command};

use crate::{assert_counts, flights, report, week};

fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn an_interrupt_drains_and_reports_what_was_done() {
    for transport in ["stream", "mem", "http"] {
        let mut child = flights(&["--json", "--input", "-", "--transport", transport]).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // The whole week is more than the pipe and the program's own queues hold, so it is at work when this returns.
        stdin.write_all(week().as_bytes()).unwrap();
        interrupt(&child);
        let report = report(&child.wait_with_output().unwrap());
        let lines = report["lines"].as_u64().unwrap();
        assert!(lines > 1_000, "{report}");
        assert_counts(&report, &[("decoded", lines), ("dead_letters", 0), ("duplicates", 0)]);
        drop(stdin);
    }
}

#[test]
fn a_reader_that_left_is_an_error_and_no_panic() {
    let mut child = flights(&["--json"]).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.starts_with("flights: cannot write the report"), "{errors}");
}
