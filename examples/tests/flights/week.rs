//! The first week of 2013, counted by the program and by a loop that knows nothing of messages.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{assert_counts, report, run, week};

type Delays = BTreeMap<String, Vec<i64>>;

/// What the program is to find, and the delays of each carrier's alerts.
fn counted() -> (Vec<(&'static str, u64)>, Delays) {
    let (mut lines, mut cancelled, mut alerts) = (0, 0, Delays::new());
    for line in week().lines() {
        let flight: Value = serde_json::from_str(line).unwrap();
        lines += 1;
        if flight["dep_time"].is_null() {
            cancelled += 1;
        } else if let Some(delay) = flight["dep_delay"].as_i64().filter(|delay| *delay >= 60) {
            alerts.entry(flight["carrier"].as_str().unwrap().to_owned()).or_default().push(delay);
        }
    }
    let all = alerts.values().map(|delays| delays.len() as u64).sum();
    let counts = vec![
        ("lines", lines),
        ("decoded", lines),
        ("dead_letters", 0),
        ("duplicates", 0),
        ("cancelled", cancelled),
        ("alerts", all),
        ("unknown_airlines", 0),
    ];
    (counts, alerts)
}

#[track_caller]
fn assert_found(report: &Value) {
    let (counts, alerts) = counted();
    assert_counts(report, &counts);
    let carriers = report["by_carrier"].as_object().unwrap();
    assert_eq!(carriers.keys().collect::<Vec<_>>(), alerts.keys().collect::<Vec<_>>());
    for (carrier, delays) in &alerts {
        let found = &carriers[carrier];
        assert_eq!(
            (&found["alerts"], &found["max_delay_min"]),
            (&delays.len().into(), &delays.iter().max().copied().into())
        );
        #[expect(clippy::cast_precision_loss, reason = "a week of minutes")]
        let mean = delays.iter().sum::<i64>() as f64 / delays.len() as f64;
        assert!((found["mean_delay_min"].as_f64().unwrap() - mean).abs() <= 0.05, "{carrier}: {found}, mean {mean}");
    }
    assert_eq!(carriers["UA"]["name"], "United Air Lines Inc.");
    assert!(report["elapsed_s"].as_f64().unwrap() > 0.0);
}

#[test]
fn every_transport_and_concurrency_finds_the_same() {
    for arguments in [
        &["--json"][..],
        &["--json", "--transport", "stream", "--concurrency", "1"],
        &["--json", "--transport", "mem"],
        &["--json", "--transport", "mem", "--concurrency", "16"],
        &["--json", "--transport", "nats"],
        &["--json", "--transport", "nats", "--concurrency", "16"],
        &["--json", "--transport", "jetstream"],
        &["--json", "--transport", "jetstream", "--concurrency", "1"],
        &["--json", "--transport", "http"],
    ] {
        let report = report(&run(arguments, b""));
        assert_found(&report);
        assert_counts(&report, &[("retries", 0)]);
    }
}

#[test]
fn requests_that_fail_are_asked_again_and_nothing_is_a_duplicate_for_that() {
    let report = report(&run(&["--json", "--fail-every", "5"], b""));
    assert_found(&report);
    let (retries, alerts) = (report["retries"].as_u64().unwrap(), report["alerts"].as_u64().unwrap());
    assert!((alerts / 5..=alerts).contains(&retries), "{retries} retries for {alerts} requests");
}

#[test]
fn the_table_has_a_bar_for_each_airline_the_longest_first() {
    let output = run(&[], b"");
    assert_eq!(output.status.code(), Some(0));
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.starts_with("6099 lines: 6099 flights, 0 dead letters, 0 duplicates\n"), "{table}");
    let bars: Vec<_> = table.lines().map(|line| line.matches('█').count()).filter(|bar| *bar > 0).collect();
    assert_eq!(bars.len(), counted().1.len());
    assert_eq!(bars[0], 40);
    assert!(bars.is_sorted_by(|one, two| one >= two), "{table}");
}
