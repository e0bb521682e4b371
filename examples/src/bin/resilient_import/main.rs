//! Imports real flights into a store that fails: `cargo run --release -p flux-examples --bin resilient_import`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

mod import;
mod options;
mod report;
mod store;

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::ExitCode;

use crate::import::import;
use crate::options::{HELP, Options};
use crate::report::Report;

fn main() -> ExitCode {
    let options = match Options::parse(lexopt::Parser::from_env()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(&format!("{error}\n\n{HELP}"), 2),
    };
    let report = match run(&options) {
        Ok(report) => report,
        Err(error) => return fail(&error, 2),
    };
    if options.json {
        match serde_json::to_string(&report) {
            Ok(json) => println!("{json}"),
            Err(error) => return fail(&error.to_string(), 2),
        }
    } else {
        print!("{}", report.text());
    }
    report.check().map_or_else(|error| fail(&error, 1), |()| ExitCode::SUCCESS)
}

fn fail(error: &str, status: u8) -> ExitCode {
    eprintln!("resilient_import: {error}");
    ExitCode::from(status)
}

#[tokio::main]
async fn run(options: &Options) -> Result<Report, String> {
    let cannot = |error| format!("cannot read {}: {error}", options.input.display());
    let file = File::open(&options.input).map_err(cannot)?;
    let lines: Result<Vec<String>, _> = BufReader::new(file).lines().collect();
    Ok(import(lines.map_err(cannot)?, options).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flight_of_the_week_is_stored_once_in_spite_of_the_outage() {
        let report = run(&Options::default()).expect("the week can be read");
        report.check().expect("it adds up");
        assert_eq!((report.lines, report.stored, report.undecodable), (6_099, 6_099, 0));
        assert!(report.circuit_opened > 0 && report.retries > 0 && report.refused > 0, "{report:?}");
        assert!(report.calls < report.lines / 10, "they were batched: {report:?}");
    }
}
