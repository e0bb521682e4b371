//! The report: markdown that can be pasted into `docs/benchmarks.md`.

use std::fmt::Write;

use crate::limit::Verdict;
use crate::measurement::Measurement;
use crate::suite::Suite;

/// One suite as a section: heading, method, table, limits.
#[must_use]
pub fn section(suite: &Suite, measurements: &[Measurement], verdicts: &[Verdict]) -> String {
    format!("## {}\n\n{}\n\n{}\n{}", suite.title, suite.method, table(measurements), list(verdicts))
}

/// Measurements as a table; the first is what the others are compared with.
#[must_use]
pub fn table(measurements: &[Measurement]) -> String {
    let mut text = "| contender | messages per second | slowest – fastest round | ratio \
                    | allocations per message |\n|---|--:|--:|--:|--:|\n"
        .to_owned();
    for measurement in measurements {
        text.push_str(&row(measurement, measurements.first()));
    }
    text
}

/// Verdicts as a list.
#[must_use]
pub fn list(verdicts: &[Verdict]) -> String {
    let mut text = String::new();
    for verdict in verdicts {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "- {verdict}");
    }
    text
}

fn row(measurement: &Measurement, baseline: Option<&Measurement>) -> String {
    let (slowest, fastest) = measurement.range();
    let ratio = baseline.map_or(f64::NAN, |baseline| measurement.times(baseline));
    format!(
        "| {} | {} | {} – {} | {ratio:.2} | {:.3} |\n",
        measurement.name,
        millions(measurement.rate()),
        millions(slowest),
        millions(fastest),
        measurement.allocations,
    )
}

/// In millions, to three significant digits or so.
fn millions(rate: f64) -> String {
    let digits = match rate {
        ..1e5 => 4,
        ..1e6 => 3,
        _ => 2,
    };
    format!("{:.digits$} M", rate / 1e6)
}
