//! Real flights through typed handlers: `cargo run --release -p flux-examples --bin flights`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

mod carrier;
mod desk;
mod flight;
mod handlers;
mod input;
mod options;
mod progress;
mod report;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flux::prelude::*;
use flux::router::Handle;
use tokio::sync::{mpsc, watch};

use crate::carrier::carry;
use crate::desk::{Airlines, Bus, Desk};
use crate::handlers::{Line, Wire, on_alert, on_dead_letter, on_flight, on_name, on_raw, publish_line};
use crate::input::{Input, RawLine};
use crate::options::{HELP, Options};
use crate::progress::Progress;
use crate::report::Report;

/// Lines that may be on their way at the same time.
const IN_FLIGHT: u64 = 8_192;

/// When a transport cannot tell what is on its way, and nothing comes for this long, nothing is.
const SILENCE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let options = match Options::parse(lexopt::Parser::from_env()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return refuse(&format!("{error}\n\n{HELP}")),
    };
    let input = match Input::open(options.input.as_deref()) {
        Ok(input) => input,
        Err(error) => return refuse(&error),
    };
    match run(&options, input) {
        Ok(report) => tell(&options, &report),
        Err(Trouble::Input(error)) => refuse(&format!("cannot read on: {error}")),
        Err(Trouble::Job(error)) => fail(&explain(&error)),
    }
}

/// Why there is no report.
pub(crate) enum Trouble {
    Input(io::Error),
    Job(flux::Error),
}

impl From<flux::Error> for Trouble {
    fn from(error: flux::Error) -> Self {
        Self::Job(error)
    }
}

fn fail(error: &str) -> ExitCode {
    eprintln!("flights: {error}");
    ExitCode::FAILURE
}

fn refuse(error: &str) -> ExitCode {
    eprintln!("flights: {error}");
    ExitCode::from(2)
}

fn tell(options: &Options, report: &Report) -> ExitCode {
    let text = if options.json { report.json() } else { report.table() };
    // Whoever reads the output may have had enough of it; that is no reason to panic.
    if let Err(error) = io::stdout().write_all(text.as_bytes()) {
        return fail(&format!("cannot write the report: {error}"));
    }
    match report.check() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

#[tokio::main]
async fn run(options: &Options, input: Input) -> Result<Report, Trouble> {
    carry(options, input).await
}

/// Wires the job up and runs it: flights and alerts over `wire`, requests over `line`.
pub(crate) async fn job<W: Wire, L: Line>(
    wire: W,
    line: L,
    options: &Options,
    input: Input,
) -> Result<Report, Trouble> {
    let started = Instant::now();
    let bus: Bus<W> = Typed::new(wire.clone(), Json);
    let requests = Typed::new(line, Json);
    let desk = Desk::new(bus.clone(), Arc::new(requests.clone()));

    let router = Router::new()
        .with_state(Airlines::new(options.fail_every))
        .respond("airlines.name", &requests, on_name)
        .with_state(desk.clone())
        .add(Route::new("flights.raw", &bus, on_raw).queue_group("lines"))
        .add(
            Route::new("flights.*.*", &bus, on_flight)
                .queue_group("flights")
                .concurrency(options.concurrency)
                .ordered_by(|flight| flight.id().map(str::to_owned)),
        )
        .add(Route::new("alerts.>", &bus, on_alert).queue_group("alerts"))
        .add(Route::new("dlq.flights.raw", &wire, on_dead_letter).queue_group("letters"));

    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await?;
    let mut signals = signals();
    let lines = feed(&bus, &desk, &mut signals, input).await?;
    tokio::select! {
        settled = settled(&handle, &bus) => settled?,
        () = signalled(&mut signals, 2) => {}
    }
    handle.stop();
    let ran = running.await.map_err(|error| flux::Error::new(flux::ErrorKind::Other, error.to_string()))??;

    let by_carrier = desk::lock(&desk.by_carrier).clone();
    Ok(Report {
        lines,
        decoded: desk.decoded.value(),
        dead_letters: desk.dead_letters.value(),
        duplicates: desk.duplicates.value(),
        cancelled: desk.cancelled.value(),
        alerts: by_carrier.values().map(|carrier| carrier.alerts).sum(),
        unknown_airlines: desk.unknown_airlines.value(),
        retries: ran.total().retried,
        by_carrier,
        elapsed_s: started.elapsed().as_secs_f64(),
        handled: desk.handled.value(),
        raised: desk.raised.value(),
    })
}

/// Waits until everything is handled. A transport that forgets cannot tell: there it is done when nothing has come for a while.
async fn settled<W: Wire>(handle: &Handle, bus: &Bus<W>) -> flux::Result<()> {
    match handle.settled().await {
        Err(error) if error.kind() == flux::ErrorKind::Unsupported => {}
        settled => return settled,
    }
    bus.wire().flush().await?;
    let handled = || handle.metrics().total().handled;
    let mut before = handled();
    loop {
        tokio::time::sleep(SILENCE).await;
        let now = handled();
        if now == before {
            return Ok(());
        }
        before = now;
    }
}

/// Publishes the lines until they end or somebody wants them to; returns how many.
async fn feed<W: Wire>(
    bus: &Bus<W>,
    desk: &Desk<W>,
    signals: &mut watch::Receiver<u8>,
    input: Input,
) -> Result<u64, Trouble> {
    let progress = Progress::of(input.total());
    let mut lines = read(input);
    let (mut published, mut lost) = (0, 0);
    loop {
        let line = tokio::select! {
            line = lines.recv() => line,
            () = signalled(signals, 1) => None,
        };
        let Some(line) = line else { break };
        let line = line.map_err(Trouble::Input)?;
        publish_line(bus, line.bytes).await?;
        published += 1;
        progress.line(line.read);
        let behind = || published - desk.decoded.value() - desk.dead_letters.value();
        while *signals.borrow() == 0 && behind() - lost >= IN_FLIGHT {
            let before = behind();
            if wait_for(|| behind() < before).await.is_err() {
                // Nothing moves: what is missing was lost on the way, and is waited for no longer.
                lost = before;
            }
        }
    }
    Ok(published)
}

/// Looks each millisecond, and gives up when nothing happens for a while.
async fn wait_for(happened: impl Fn() -> bool + Send + Sync) -> Result<(), tokio::time::error::Elapsed> {
    let look = async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(SILENCE * 5, look).await
}

/// Counts the requests to stop: after the first no more lines are read, after the second nothing is waited for.
fn signals() -> watch::Receiver<u8> {
    let (signals, seen) = watch::channel(0);
    tokio::spawn(async move {
        let second = shutdown_signal().await;
        signals.send_replace(1);
        second.await;
        signals.send_replace(2);
    });
    seen
}

async fn signalled(signals: &mut watch::Receiver<u8>, times: u8) {
    if signals.wait_for(|seen| *seen >= times).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Reads on a thread of its own, so that a slow input holds up nothing else.
fn read(mut input: Input) -> mpsc::Receiver<io::Result<RawLine>> {
    let (lines, taken) = mpsc::channel(1024);
    std::thread::spawn(move || {
        while let Some(line) = input.next_line().transpose() {
            if lines.blocking_send(line).is_err() {
                break;
            }
        }
    });
    taken
}

/// An error and its causes on one line.
fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
