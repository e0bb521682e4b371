//! What a stage adds to the function it wraps, next to what go-fluxus adds.

use std::sync::Arc;

use crate::contender::Contender;
use crate::contender::stages;
use crate::limit::Verdict;
use crate::measurement::{Measurement, median};
use crate::options::Options;
use crate::suite::ROUNDS;
use crate::turns::{self, Turn};
use crate::{Result, callgrind, report};

/// What go-fluxus takes for the same, measured on such a machine.
#[derive(Clone, Copy, Debug)]
struct Go {
    nanos: f64,
    allocations: f64,
}

/// One stage: what it may take, and what go-fluxus does.
#[derive(Clone, Copy, Debug)]
struct Row {
    name: &'static str,
    calls: u64,
    nanos_max: Option<f64>,
    allocations_max: Option<f64>,
    go: Option<Go>,
}

impl Row {
    const fn new(name: &'static str) -> Self {
        Self { name, calls: 1_000_000, nanos_max: None, allocations_max: None, go: None }
    }

    const fn calls(self, calls: u64) -> Self {
        Self { calls, ..self }
    }

    const fn at_most(self, nanos: f64) -> Self {
        Self { nanos_max: Some(nanos), ..self }
    }

    const fn allocating(self, at_most: f64) -> Self {
        Self { allocations_max: Some(at_most), ..self }
    }

    const fn go(self, nanos: f64, allocations: f64) -> Self {
        Self { go: Some(Go { nanos, allocations }), ..self }
    }
}

/// The table. Fan-out, parallel and map may take a tenth of what go-fluxus does, a batch a fifth.
const ROWS: &[Row] = &[
    Row::new("function alone").go(7.0, 0.0),
    Row::new("chain of 10").go(87.0, 0.0),
    Row::new("chain of 50").at_most(10.0).allocating(0.0).go(629.0, 0.0),
    Row::new("circuit breaker").at_most(25.0).allocating(0.0).go(125.0, 1.0),
    Row::new("circuit breaker, by rate").allocating(0.0),
    Row::new("retry").at_most(25.0).allocating(0.0).go(206.0, 8.0),
    Row::new("rate limit").at_most(50.0).allocating(0.0).go(621.0, 6.0),
    Row::new("timeout").allocating(0.0),
    Row::new("hedge").allocating(0.0),
    Row::new("load shed").allocating(0.0),
    // No SDK is installed, as for go-fluxus: what is left is to find that out.
    #[cfg(feature = "telemetry")]
    Row::new("metered").allocating(0.0),
    #[cfg(feature = "telemetry")]
    Row::new("traced").allocating(0.0).go(504.0, 6.0),
    Row::new("fan-out to 10").calls(200_000).at_most(648.3).go(6_483.0, 39.0),
    Row::new("parallel, 10 wide").calls(200_000).at_most(252.2).go(2_522.0, 16.0),
    // The vectors and what holds the futures; not one per item.
    Row::new("map of 100 items").calls(50_000).at_most(11_700.0).allocating(5.0).go(117_000.0, 308.0),
    Row::new("batch of 10 callers").calls(100_000).at_most(1_574.8).go(7_874.0, 11.0),
];

/// The contenders, for the harness to start by name.
pub(crate) fn contenders() -> Vec<Arc<dyn Contender>> {
    ROWS.iter().map(|row| Arc::new(stages::named(row.name)) as Arc<dyn Contender>).collect()
}

/// Measures, and returns the section of the report with its verdicts.
pub(crate) fn section(options: &Options) -> Result<(String, Vec<Verdict>)> {
    let mut rows = String::new();
    let mut verdicts = Vec::new();
    let counts = callgrind::is_installed();
    for row in ROWS.iter().filter(|row| row.name.contains(&options.only)) {
        let turns = [Turn::new(row.name)?];
        let instructions = if counts { Some(callgrind::per_message(row.name)?) } else { None };
        for measurement in turns::take(&turns, options.rounds(ROUNDS), options.messages(row.calls))? {
            rows.push_str(&line(row, &measurement, instructions));
            verdicts.extend(judged(row, &measurement));
        }
    }
    let text = format!(
        "## Stages: what one call costs\n\n\
         One task on one thread calls a stage around a function whose result is ready at once; the loop is in each \
         number. The stages of a chain increment. A batch is ten callers and one call of the stage. Instructions are \
         counted by callgrind, where it is installed. The figures of go-fluxus are those of its own benchmarks on such \
         a machine, in Go, and are not measured again.\n\n\
         | stage | ns | fastest – slowest round | instructions | allocations | at most ns | go-fluxus ns | allocations |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|\n{rows}\n{}",
        report::list(&verdicts)
    );
    Ok((text, verdicts))
}

/// Nanoseconds per call: the median of the rounds.
fn nanos(measurement: &Measurement) -> f64 {
    median(measurement.rounds.iter().map(|round| 1e9 / round.rate()).collect())
}

fn line(row: &Row, measurement: &Measurement, instructions: Option<f64>) -> String {
    let (slowest, fastest) = measurement.range();
    let or_dash = |figure: Option<f64>| figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.0}"));
    format!(
        "| {} | {:.1} | {:.1} – {:.1} | {} | {:.2} | {} | {} | {} |\n",
        row.name,
        nanos(measurement),
        1e9 / fastest,
        1e9 / slowest,
        or_dash(instructions),
        measurement.allocations,
        or_dash(row.nanos_max),
        or_dash(row.go.map(|go| go.nanos)),
        or_dash(row.go.map(|go| go.allocations)),
    )
}

fn judged(row: &Row, measurement: &Measurement) -> Vec<Verdict> {
    let time = row.nanos_max.map(|at_most| {
        let rule = format!("`{}` takes at most {at_most} ns", row.name);
        Verdict::new(rule, Some(nanos(measurement)), |nanos| nanos <= at_most)
    });
    let allocations = row.allocations_max.map(|at_most| {
        let rule = format!("`{}` allocates at most {at_most} times per call", row.name);
        Verdict::new(rule, Some(measurement.allocations), |allocations| allocations < at_most + 0.01)
    });
    time.into_iter().chain(allocations).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measurement::Round;
    use crate::stopwatch::Stopwatch;

    #[test]
    fn every_stage_runs() -> Result {
        for contender in contenders() {
            contender.run(50, &mut Stopwatch::default())?;
        }
        Ok(())
    }

    #[test]
    fn a_limit_is_judged_both_ways() {
        let row = Row::new("retry").at_most(25.0).allocating(0.0);
        let took = |nanos, allocations| {
            let rounds = vec![Round { messages: 1_000_000, elapsed: Duration::from_millis(nanos) }];
            judged(&row, &Measurement { name: "retry", rounds, allocations })
        };
        assert!(took(25, 0.0).iter().all(Verdict::holds));
        assert!(took(26, 1.0).iter().all(|verdict| !verdict.holds()));
    }
}
