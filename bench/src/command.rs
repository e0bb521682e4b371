//! The program: reads the command line, runs what was asked for, prints the report.

use std::io::{self, Write};
use std::process::{self, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use crate::child::Line;
use crate::limit::Verdict;
use crate::options::{Options, USAGE};
use crate::stopwatch::Stopwatch;
use crate::suite::{self, instructions, stages, telemetry};
use crate::{Result, environment, report};

/// How long the rounds of one contender may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// Runs the harness. The exit status is 0, 1 when a limit was missed under `--check`, or 2 when
/// something failed.
#[must_use]
pub fn main() -> ExitCode {
    match Options::from_env().and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // Nothing is left to do when standard error is closed.
            let _ = writeln!(io::stderr(), "flux-bench: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether all limits are kept, or nobody asked.
fn run(options: &Options) -> Result<bool> {
    let what = options.what.as_str();
    if what == "run" {
        return rounds(options).map(|()| true);
    }
    let all = what == "all";
    let mut verdicts = Vec::new();
    let mut is_known = false;
    if all {
        say(&format!("{}\n", environment::describe()))?;
    }
    for suite in suite::all() {
        if !all && suite.command != what {
            continue;
        }
        is_known = true;
        if let Some(suite) = suite.only(&options.only) {
            let measurements = suite.run(options)?;
            let judged = suite.limits.iter().map(|limit| limit.judge(&measurements));
            let judged: Vec<_> = judged.collect();
            say(&report::section(&suite, &measurements, &judged))?;
            verdicts.extend(judged);
        }
    }
    if all || what == "stages" {
        verdicts.extend(said(stages::section(options)?)?);
    }
    if all || what == "telemetry" {
        verdicts.extend(said(telemetry::section(options)?)?);
    }
    if all || what == "instructions" {
        verdicts.extend(said(instructions::section()?)?);
    }
    if verdicts.is_empty() && !is_known {
        return Err(format!("there is nothing called {what}\n{USAGE}").into());
    }
    let kept = verdicts.iter().filter(|verdict| verdict.holds()).count();
    say(&format!("{kept} of {} limits kept", verdicts.len()))?;
    Ok(kept == verdicts.len() || !options.check)
}

/// Prints a section and passes its verdicts on.
fn said((text, verdicts): (String, Vec<Verdict>)) -> Result<Vec<Verdict>> {
    say(&text)?;
    Ok(verdicts)
}

/// Runs one contender and prints a line per round, for the harness that started this program.
fn rounds(options: &Options) -> Result {
    let name = options.contender.as_deref().ok_or("run whom?")?;
    let contender = suite::contender(name)?;
    thread::spawn(give_up);
    for _ in 0..options.rounds(1) {
        let messages = options.messages(1_000);
        let mut stopwatch = Stopwatch::default();
        contender.run(messages, &mut stopwatch)?;
        let line = Line {
            messages,
            nanos: u64::try_from(stopwatch.elapsed().as_nanos())?,
            allocations: stopwatch.allocations(),
        };
        say(&line.print())?;
    }
    Ok(())
}

/// Ends a program that hangs, as it would when a contender lost a message.
fn give_up() {
    let end = Instant::now() + PATIENCE;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        thread::park_timeout(left);
    }
    let _ = writeln!(io::stderr(), "gave up after {} s", PATIENCE.as_secs());
    process::exit(2);
}

fn say(text: &str) -> Result {
    Ok(writeln!(io::stdout(), "{text}")?)
}
