//! What the command line asks for.

use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt as _};

/// The text of `--help`.
pub(crate) const HELP: &str = "\
Imports flights into a store that fails now and then, and is down for a while.

Usage: resilient_import [OPTIONS]

Options:
      --input FILE    Flights, one JSON object a line [default: the first week of 2013]
      --batch N       Flights in one insert, from 1 [default: 100]
      --rate N        Inserts a second, from 1 [default: 500]
      --outage N      Inserts that fail one after the other while the store is down [default: 12]
      --json          Print the report as one JSON object
  -h, --help          Print this text";

/// How the import is to run.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) input: PathBuf,
    /// Flights in one insert.
    pub(crate) batch: usize,
    /// Inserts a second.
    pub(crate) rate: u32,
    /// Inserts that fail while the store is down.
    pub(crate) outage: u64,
    pub(crate) json: bool,
}

impl Default for Options {
    fn default() -> Self {
        let input = concat!(env!("CARGO_MANIFEST_DIR"), "/data/flights-week1.jsonl").into();
        Self { input, batch: 100, rate: 500, outage: 12, json: false }
    }
}

impl Options {
    /// Reads the command line; `None` when it asks for help.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(mut parser: Parser) -> Result<Option<Self>, lexopt::Error> {
        let mut options = Self::default();
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("input") => options.input = parser.value()?.into(),
                Arg::Long("batch") => options.batch = parser.value()?.parse()?,
                Arg::Long("rate") => options.rate = parser.value()?.parse()?,
                Arg::Long("outage") => options.outage = parser.value()?.parse()?,
                Arg::Long("json") => options.json = true,
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                other => return Err(other.unexpected()),
            }
        }
        if options.batch == 0 || options.rate == 0 {
            return Err("--batch and --rate are at least 1".into());
        }
        Ok(Some(options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Option<Options>, lexopt::Error> {
        Options::parse(Parser::from_args(arguments))
    }

    #[test]
    fn each_option_is_read() {
        let options = parsed(&["--input", "f", "--batch", "2", "--rate", "3", "--outage", "4", "--json"]);
        let Ok(Some(Options { input, batch, rate, outage, json })) = options else { panic!("{options:?}") };
        assert_eq!((input.as_os_str().to_str(), batch, rate, outage, json), (Some("f"), 2, 3, 4, true));
        assert!(parsed(&["-h"]).is_ok_and(|options| options.is_none()));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for arguments in [["--batch", "0"], ["--rate", "0"], ["--batch", "x"], ["--nonsense", "1"]] {
            assert!(parsed(&arguments).is_err(), "{arguments:?}");
        }
    }
}
