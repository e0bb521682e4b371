//! What the command line asks for.

use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt as _};

/// The text of `--help`.
pub(crate) const HELP: &str = "\
Reads flights, publishes each, and finds out which airlines left an hour late or more.

Usage: flights [OPTIONS]

Options:
      --input FILE       Flights, one JSON object a line; `-` is standard input [default: the first week of 2013]
      --transport NAME   mem (channels), stream (kept until settled), nats, jetstream or http [default: stream]
      --server URL       The nats-server to use [default: one of its own, on a free port]
      --concurrency N    Flights handled at the same time, from 1 [default: 4]
      --fail-every N     The airlines' desk fails each Nth request once, to show retries
      --json             Print the report as one JSON object
  -h, --help             Print this text";

/// The flights that come with the program.
const WEEK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/flights-week1.jsonl");

/// How the job is to run.
#[derive(Debug)]
pub(crate) struct Options {
    /// `None` is standard input.
    pub(crate) input: Option<PathBuf>,
    /// What carries the messages.
    pub(crate) transport: Transport,
    /// Where nats and jetstream connect to; `None` starts a server.
    pub(crate) server: Option<String>,
    /// Flights handled at the same time.
    pub(crate) concurrency: usize,
    /// The desk fails each request whose number this divides, once.
    pub(crate) fail_every: Option<u64>,
    /// Print the report as JSON.
    pub(crate) json: bool,
}

/// What carries the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// In-process channels: at most once.
    Mem,
    /// An in-process stream: at least once.
    Stream,
    /// Core NATS: at most once.
    Nats,
    /// A stream on a NATS server: at least once, and kept from run to run.
    JetStream,
    /// POSTs to the program itself: at most once, but publishing tells how handling ended.
    Http,
}

impl Options {
    /// Reads the command line; `None` when it asks for help.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(mut parser: Parser) -> Result<Option<Self>, lexopt::Error> {
        let mut options = Self {
            input: Some(WEEK.into()),
            transport: Transport::Stream,
            server: None,
            concurrency: 4,
            fail_every: None,
            json: false,
        };
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("input") => options.input = Some(parser.value()?).filter(|file| file != "-").map(Into::into),
                Arg::Long("transport") => options.transport = transport(&parser.value()?.string()?)?,
                Arg::Long("server") => options.server = Some(parser.value()?.string()?),
                Arg::Long("concurrency") => {
                    options.concurrency = at_least_one("--concurrency", parser.value()?.parse()?)?;
                }
                Arg::Long("fail-every") => {
                    options.fail_every = Some(at_least_one("--fail-every", parser.value()?.parse()?)?);
                }
                Arg::Long("json") => options.json = true,
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                other => return Err(other.unexpected()),
            }
        }
        if options.server.is_some() && !matches!(options.transport, Transport::Nats | Transport::JetStream) {
            return Err("--server is for the transports nats and jetstream".into());
        }
        Ok(Some(options))
    }
}

fn transport(name: &str) -> Result<Transport, lexopt::Error> {
    match name {
        "mem" => Ok(Transport::Mem),
        "stream" => Ok(Transport::Stream),
        "nats" => Ok(Transport::Nats),
        "jetstream" => Ok(Transport::JetStream),
        "http" => Ok(Transport::Http),
        other => Err(format!("there is no transport `{other}`; there are: mem, stream, nats, jetstream, http").into()),
    }
}

fn at_least_one<N: Default + PartialEq>(option: &str, number: N) -> Result<N, lexopt::Error> {
    if number == N::default() { Err(format!("{option} is at least 1").into()) } else { Ok(number) }
}
