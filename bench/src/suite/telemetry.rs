//! What telemetry costs while no SDK is installed: the same contender in two builds.

use crate::limit::Verdict;
use crate::options::Options;
use crate::suite::{self, ROUNDS};
use crate::turns::{self, Turn};
use crate::{Result, report};

/// Who is measured: the router on the in-process transport.
const SUBJECT: &str = "flux";

/// Messages per round.
const MESSAGES: u64 = 1_000_000;

/// What is left of the rate with telemetry compiled in.
const AT_LEAST: f64 = 0.95;

/// Measures both builds in turns, and returns the section of the report with its verdicts.
pub(crate) fn section(options: &Options) -> Result<(String, Vec<Verdict>)> {
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
         The same program built with and without the feature `telemetry`, in turns.\n\n{}\n{}",
        report::table(&measurements),
        report::list(&verdicts)
    );
    Ok((text, verdicts))
}
