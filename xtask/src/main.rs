//! The chores of this repository: `cargo xtask <verb>`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks on its standard streams")]

mod bench;
mod budget;
mod cargo;
mod ci;
mod clippy;
mod conform;
mod decisions;
mod deny;
mod dependencies;
mod doc;
mod docs;
mod examples;
mod failure;
mod features;
mod floors;
mod fmt;
mod fuzz;
mod links;
mod manifests;
mod new_transport;
mod report;
mod scrape;
mod sources;
mod step;
mod table;
mod template;
mod test;
mod tidy;
mod tools;
mod tree;
mod workspace;

use std::process::ExitCode;

use failure::Failure;
use workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask <verb>

  test [args]            every test of the workspace; args go to `cargo test`
  tools                  find or fetch the servers and clients that tests use; `test` does it first
  check                  fmt, clippy, floors and tidy: what to run before a commit
  ci                     every check that is not a test
  fmt | floors | tidy | clippy | features | doc | deny | template | fuzz | examples
                         one step of `ci`
  docs [--check]         write the README's table of guarantees, or compare it
  budget [--record]      measure the smallest program, compare or record it
  scrape                 ask a Prometheus that reads the example `observed` the queries of the documentation
  bench [args]           run the benchmarks; args go to them
  conform <transport>    run the conformance suite of one transport
  new-transport <name>   write the files of a new transport, with a failing suite";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((verb, rest)) = args.split_first() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(verb, rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: &str, rest: &[String]) -> Result<(), Failure> {
    let workspace = Workspace::load()?;
    let flags: Vec<&str> = rest.iter().map(String::as_str).collect();
    match (verb, flags.as_slice()) {
        ("test", _) => {
            step::one("tools", tools::run, &workspace).and_then(|()| step::one("test", |_| test::run(rest), &workspace))
        }
        ("tools", []) => step::one("tools", tools::run, &workspace),
        ("bench", _) => bench::run(rest),
        ("check", []) => step::all(ci::CHECK, &workspace),
        ("ci", []) => step::all(ci::CI, &workspace),
        ("docs", []) => step::one("docs", docs::write, &workspace),
        ("budget", ["--record"]) => step::one("budget", budget::record, &workspace),
        ("conform", [name]) => step::one("conform", |_| conform::run(name), &workspace),
        ("new-transport", [name]) => new_transport::run(name),
        ("docs", ["--check"]) | (_, []) => match ci::find(verb) {
            Some(found) => step::all(&[found], &workspace),
            None => Err(USAGE.into()),
        },
        _ => Err(USAGE.into()),
    }
}
