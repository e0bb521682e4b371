//! The command line.

use std::env;
use std::str::FromStr;

use crate::Result;

/// How to call the harness.
pub(crate) const USAGE: &str = "\
usage: flux-bench [WHAT] [--quick] [--check] [--rounds N] [--messages N] [--only TEXT]
       flux-bench run CONTENDER [--messages N] [--rounds N]

WHAT is one of
  all           everything below (the default)
  mem           values moved between two tasks
  json          values that travel as JSON
  stream        the stream in memory, with a small and a large backlog
  stages        what a stage adds to the function it wraps
  trie          one publish among many subscriptions
  http          requests of JSON over keep-alive connections, next to hyper and axum
  nats          a real nats-server: publish, request, JetStream (cargo xtask tools gets one)
  telemetry     what telemetry costs while no SDK is installed, and part by part with one
  instructions  instructions per message, counted by callgrind (needs valgrind)

--quick         few messages and rounds: whether it runs, not how fast
--check         exit with 1 when one of the limits is missed
--rounds N      rounds per contender; the median counts (default 7)
--messages N    messages per round instead of the suite's own number
--only TEXT     only contenders whose name, or the title of whose table, has TEXT in it

`run` is what the harness starts itself with: one line per round, with the number of messages, the
nanoseconds and the allocations they took.";

/// What was asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Options {
    /// What to run, `run` apart.
    pub(crate) what: String,
    /// The contender of `run`.
    pub(crate) contender: Option<String>,
    /// Whether missed limits decide the exit status.
    pub(crate) check: bool,
    /// Only contenders whose name contains this.
    pub(crate) only: String,
    /// Whether a smoke test is enough.
    pub(crate) quick: bool,
    messages: Option<u64>,
    rounds: Option<u64>,
}

impl Options {
    /// Reads the arguments of this process.
    pub(crate) fn from_env() -> Result<Self> {
        Self::parse(env::args().skip(1))
    }

    fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            what: String::new(),
            contender: None,
            check: false,
            only: String::new(),
            quick: false,
            messages: None,
            rounds: None,
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--check" => options.check = true,
                "--messages" => options.messages = Some(value(&argument, arguments.next())?),
                "--only" => options.only = value(&argument, arguments.next())?,
                "--quick" => options.quick = true,
                "--rounds" => options.rounds = Some(value(&argument, arguments.next())?),
                _ if argument.starts_with('-') => {
                    return Err(format!("unknown option {argument}\n{USAGE}").into());
                }
                _ if options.what.is_empty() => options.what = argument,
                _ if options.what == "run" && options.contender.is_none() => {
                    options.contender = Some(argument);
                }
                _ => return Err(format!("one argument too many: {argument}\n{USAGE}").into()),
            }
        }
        if options.what.is_empty() {
            options.what.push_str("all");
        }
        Ok(options)
    }

    /// Messages per round, where `usual` is the suite's own number.
    pub(crate) fn messages(&self, usual: u64) -> u64 {
        let quick = if self.quick { usual / 50 } else { usual };
        self.messages.unwrap_or(quick).max(1)
    }

    /// Rounds per contender, where `usual` is the number without `--quick`.
    pub(crate) fn rounds(&self, usual: u64) -> u64 {
        let quick = if self.quick { 1 } else { usual };
        self.rounds.unwrap_or(quick).max(1)
    }
}

fn value<T: FromStr>(option: &str, text: Option<String>) -> Result<T> {
    let text = text.ok_or_else(|| format!("{option} needs a value\n{USAGE}"))?;
    text.parse().map_err(|_| format!("{text} is no value for {option}\n{USAGE}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn nothing_means_all() -> Result {
        let options = parsed("")?;
        assert_eq!(options.what, "all");
        assert_eq!((options.messages(1_000), options.rounds(7)), (1_000, 7));
        Ok(())
    }

    #[test]
    fn a_number_beats_quick() -> Result {
        let options = parsed("mem --quick --messages 9 --rounds 2 --check")?;
        assert_eq!((options.messages(1_000), options.rounds(7)), (9, 2));
        assert!(options.check);
        Ok(())
    }

    #[test]
    fn bad_arguments_are_refused() {
        for line in ["--rounds", "--rounds x", "--fast", "mem json", "run a b"] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
