//! A contender while an OpenTelemetry SDK is installed, whose collector takes everything and does nothing with it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use flux_telemetry::{Propagation, Sampling, Setup};

use super::Contender;
use crate::Result;
use crate::stopwatch::Stopwatch;

/// What is set up of the SDK.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// Metrics and no traces.
    Metrics,
    /// Traces and no metrics.
    Traces(Sampling),
    /// Both.
    Both(Sampling),
}

/// Runs with a part of the SDK.
#[derive(Debug)]
pub struct Observed<C> {
    contender: C,
    part: Part,
    propagation: Propagation,
}

impl<C: Contender> Observed<C> {
    /// `contender`, which has a name of its own for this.
    pub fn new(contender: C, part: Part) -> Self {
        Self { contender, part, propagation: Propagation::All }
    }

    /// As this one, where messages carry the contexts of recorded traces only.
    #[must_use]
    pub fn passing_on_sampled(self) -> Self {
        Self { propagation: Propagation::Sampled, ..self }
    }
}

impl<C: Contender> Contender for Observed<C> {
    fn name(&self) -> &'static str {
        self.contender.name()
    }

    /// A process runs one contender, so the globals are its own. They are installed once, however many rounds there are.
    fn run(&self, messages: u64, stopwatch: &mut Stopwatch) -> Result {
        let setup = Setup::new("bench").with_endpoint(collector()?).with_propagation(self.propagation);
        let setup = match self.part {
            Part::Metrics => setup.without_traces(),
            Part::Traces(sampling) => setup.without_metrics().with_sampling(sampling),
            Part::Both(sampling) => setup.with_sampling(sampling),
        };
        let _guard = setup.install()?;
        self.contender.run(messages, stopwatch)
    }
}

/// Answers every request with an empty 200: where it listens.
fn collector() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A connection ends with an error, when the exporter ends.
            thread::spawn(move || answer(stream));
        }
    });
    Ok(url)
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
}
