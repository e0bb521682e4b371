//! Signals, and readers that leave.
#![cfg(unix)]

use std::io::Write as _;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use flux::Bytes;
use flux::nats_server::Server;
use flux::prelude::*;

use crate::input::changed;
use crate::server::{Witness, start};
use crate::{assert_counts, flights, report, week};

fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn an_interrupt_drains_and_reports_what_was_done() {
    for transport in ["stream", "mem", "nats", "jetstream", "http"] {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_second_interrupt_waits_for_nothing_more() {
    let server = start(Server::builder()).await;
    let mut witness = Witness::of(&server, "cancelled").await;
    let arguments = ["--json", "--input", "-", "--transport", "nats", "--server", server.url()];
    let mut child = flights(&arguments).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(changed(&[("dep_time", serde_json::Value::Null)]).as_bytes()).unwrap();
    stdin.write_all(b"\n").unwrap();
    // It is at work, and has handled its line.
    witness.next().await;

    // Core NATS cannot tell what is on its way, so the program waits for silence: there is none while these come.
    let deadline = Instant::now() + Duration::from_secs(30);
    for number in 0_u64.. {
        let alert = serde_json::json!({"carrier": "UA", "airline": "United", "flight": number, "dep_delay": 60});
        let alert = Message::new("alerts.EWR", Bytes::from(alert.to_string())).unwrap();
        witness.nats.send(alert.with_id(number.to_string()).unwrap()).await.unwrap();
        witness.nats.flush().await.unwrap();
        // Two that come at the same time may be one.
        if number % 10 == 0 {
            interrupt(&child);
        }
        if child.try_wait().unwrap().is_some() {
            break;
        }
        assert!(Instant::now() < deadline, "it waits on after {number} alerts");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let report = report(&child.wait_with_output().unwrap());
    assert_counts(&report, &[("lines", 1), ("decoded", 1), ("duplicates", 0), ("dead_letters", 0)]);
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
