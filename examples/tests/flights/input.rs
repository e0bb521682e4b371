//! Lines as they come: blank, broken, doubled, with and without an end.

use serde_json::Value;

use crate::{assert_counts, report, report_on, run, week};

pub(crate) fn line(number: usize) -> String {
    week().lines().nth(number).unwrap().to_owned()
}

/// A line with some of its fields changed.
pub(crate) fn changed(changes: &[(&str, Value)]) -> String {
    let mut flight: Value = serde_json::from_str(&line(0)).unwrap();
    for (field, value) in changes {
        flight[*field] = value.clone();
    }
    flight.to_string()
}

#[test]
fn nothing_is_a_report_of_nothing() {
    for input in ["", "\n", "\r\n \n\t\n"] {
        assert_counts(&report_on(&[], input.as_bytes()), &[("lines", 0), ("decoded", 0), ("alerts", 0)]);
    }
    let empty = tempfile("empty", b"");
    assert_counts(&report(&run(&["--json", "--input", &empty], b"")), &[("lines", 0)]);
    let table = run(&["--input", "-"], b"");
    assert_eq!(table.status.code(), Some(0));
    assert!(String::from_utf8(table.stdout).unwrap().starts_with("0 lines"));
}

#[test]
fn line_ends_and_blank_lines_make_no_difference() {
    let (one, two) = (line(0), line(1));
    for input in [
        format!("{one}\n{two}\n"),
        format!("{one}\n{two}"),
        format!("{one}\r\n{two}\r\n"),
        format!("\n\r\n  \n{one}\n\n\n{two}\n\n"),
    ] {
        let report = report_on(&[], input.as_bytes());
        assert_counts(&report, &[("lines", 2), ("decoded", 2), ("dead_letters", 0), ("duplicates", 0)]);
    }
}

#[test]
fn what_is_no_flight_is_a_dead_letter_and_counted() {
    let broken = [
        b"not json".to_vec(),
        b"{}".to_vec(),
        b"[1, 2".to_vec(),
        b"null".to_vec(),
        b"\xff\xfe\x00".to_vec(),
        vec![b'['; 100_000],
        changed(&[("dep_delay", "late".into())]).into(),
        changed(&[("carrier", "U.A".into())]).into(),
        changed(&[("origin", "*".into())]).into(),
        changed(&[("origin", "".into())]).into(),
    ];
    let mut input = broken.join(&b'\n');
    input.push(b'\n');
    input.extend_from_slice(line(0).as_bytes());
    for transport in ["stream", "mem", "http"] {
        let report = report_on(&["--transport", transport], &input);
        assert_counts(&report, &[("lines", 11), ("decoded", 1), ("dead_letters", 10), ("retries", 0)]);
    }
}

#[test]
fn a_line_over_the_codecs_bound_is_a_dead_letter() {
    // A flight but for its length, as JSON may have blanks between the braces.
    let padded = |bytes: usize| {
        let mut line = line(0).into_bytes();
        let blanks = bytes - line.len();
        line.splice(1..1, std::iter::repeat_n(b' ', blanks));
        line
    };
    let bound = 8 << 20;
    for (bytes, decoded) in [(bound, 1), (bound + 1, 0)] {
        let report = report_on(&[], &padded(bytes));
        assert_counts(&report, &[("lines", 1), ("decoded", decoded), ("dead_letters", 1 - decoded)]);
    }
}

#[test]
fn a_flight_that_comes_twice_is_counted_once() {
    let late = changed(&[("dep_delay", 60.into())]);
    let cancelled = changed(&[("dep_time", Value::Null), ("dep_delay", Value::Null), ("flight", 2.into())]);
    let input = format!("{late}\n{late}\n{cancelled}\n{cancelled}\n{late}\n");
    for transport in ["stream", "mem", "http"] {
        let report = report_on(&["--transport", transport, "--concurrency", "4"], input.as_bytes());
        assert_counts(&report, &[("decoded", 5), ("duplicates", 3), ("cancelled", 1), ("alerts", 1)]);
    }
}

#[test]
fn an_hour_late_is_an_alert_and_a_carrier_without_a_name_goes_by_its_code() {
    let lines = [
        changed(&[("dep_delay", 59.into()), ("flight", 1.into())]),
        changed(&[("dep_delay", 60.into()), ("flight", 2.into()), ("carrier", "ZZ".into())]),
        changed(&[("dep_delay", 61.into()), ("flight", 3.into()), ("tailnum", Value::Null), ("air_time", Value::Null)]),
    ];
    let report = report_on(&[], lines.join("\n").as_bytes());
    assert_counts(&report, &[("alerts", 2), ("unknown_airlines", 1), ("retries", 0), ("dead_letters", 0)]);
    assert_eq!(report["by_carrier"]["ZZ"]["name"], "ZZ");
    assert_eq!(report["by_carrier"]["UA"]["max_delay_min"], 61);
}

#[test]
fn each_request_can_be_made_to_fail_once() {
    let lines: Vec<_> = (0..3).map(|number| changed(&[("dep_delay", 90.into()), ("flight", number.into())])).collect();
    let report = report_on(&["--fail-every", "1"], lines.join("\n").as_bytes());
    assert_counts(&report, &[("retries", 3), ("alerts", 3), ("duplicates", 0), ("dead_letters", 0)]);
}

/// A file of this test's own.
pub(crate) fn tempfile(name: &str, content: &[u8]) -> String {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}
