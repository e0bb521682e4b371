//! What telemetry costs: without an SDK, as the same contender in two builds; and with one, part by part.

#[cfg(feature = "telemetry")]
mod parts;

use crate::limit::Verdict;
use crate::options::Options;
use crate::suite::{self, ROUNDS};
use crate::turns::{self, Turn};
use crate::{Result, report};

#[cfg(feature = "telemetry")]
pub(crate) use parts::contenders;

/// Who is measured: the router on the in-process transport.
const SUBJECT: &str = "flux";

/// Messages per round.
const MESSAGES: u64 = 1_000_000;

/// What is left of the rate with telemetry compiled in.
const AT_LEAST: f64 = 0.95;

/// Measures both builds in turns, and returns the section of the report with its verdicts.
pub(crate) fn section(options: &Options) -> Result<(String, Vec<Verdict>)> {
    #[cfg(feature = "telemetry")]
    let parts = parts::section()?;
    #[cfg(not(feature = "telemetry"))]
    let parts = "";
    let turns = if suite::contender(SUBJECT).is_ok() {
        vec![Turn::built("telemetry left out", SUBJECT, false)?, Turn::built("telemetry compiled in", SUBJECT, true)?]
    } else {
        Vec::new()
    };
    let (rounds, messages) = (options.rounds(ROUNDS), options.messages(MESSAGES));
    let measurements = turns::take(&turns, rounds, messages)?;
    let ratio = match measurements.as_slice() {
        [without, with] => Some(with.times(without)),
        _ => None,
    };
    let rule = format!("with telemetry compiled in, `{SUBJECT}` keeps {AT_LEAST} of its rate");
    let verdicts = vec![Verdict::new(rule, ratio, |ratio| ratio >= AT_LEAST)];
    let text = format!(
        "## Telemetry, without an SDK\n\n\
         The same program built with and without the feature `telemetry`, in turns.\n\n{}\n{}\n{parts}",
        report::table(&measurements),
        report::list(&verdicts)
    );
    Ok((text, verdicts))
}

/// Without telemetry it has no parts.
#[cfg(not(feature = "telemetry"))]
pub(crate) fn contenders() -> Vec<std::sync::Arc<dyn crate::contender::Contender>> {
    Vec::new()
}
