//! What each part of telemetry costs while an SDK is installed, in instructions.

use std::fmt::Write as _;
use std::sync::Arc;

use flux_telemetry::Sampling;

use crate::contender::Contender;
use crate::contender::flux::{FluxJson, Passing};
use crate::contender::observed::{Observed, Part};
use crate::contender::service::{Driven, Shape};
use crate::payload::Sample;
use crate::{Result, callgrind};

/// Each part on its own, and together.
pub(crate) fn contenders() -> Vec<Arc<dyn Contender>> {
    type Work = FluxJson<Sample>;
    let one = Sampling::Ratio(0.01);
    let cycle = |name| Driven::<Work>::new(name, Shape::Cycle);
    vec![
        Arc::new(cycle("telemetry: no SDK")),
        Arc::new(Driven::<Passing<Work>>::new("telemetry: a trace is passed on", Shape::Cycle)),
        Arc::new(Observed::new(cycle("telemetry: metrics"), Part::Metrics)),
        Arc::new(Observed::new(cycle("telemetry: 1 % of traces"), Part::Traces(one))),
        Arc::new(Observed::new(cycle("telemetry: metrics and 1 % of traces"), Part::Both(one))),
        Arc::new(
            Observed::new(cycle("telemetry: metrics and 1 % of traces, passed on when sampled"), Part::Both(one))
                .passing_on_sampled(),
        ),
        Arc::new(Observed::new(cycle("telemetry: metrics and all traces"), Part::Both(Sampling::Always))),
    ]
}

/// Counts, where there is a valgrind to count with.
pub(super) fn section() -> Result<String> {
    if !callgrind::is_installed() {
        return Ok(String::new());
    }
    let mut text = "## Telemetry, part by part\n\n\
                    One thread publishes 1,000 values as JSON of 128 bytes in process, then handles them; counted by callgrind \
                    without the thread that sends to the collector.\n\n\
                    | what | instructions per message |\n|---|--:|\n"
        .to_owned();
    for contender in contenders() {
        let instructions = callgrind::per_message(contender.name())?;
        writeln!(text, "| {} | {instructions:.0} |", contender.name())?;
    }
    Ok(text)
}
