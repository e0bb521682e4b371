//! Instructions per message: our contenders next to those they must stay below.

use crate::limit::Verdict;
use crate::{Result, callgrind, report, suite};

/// What `RustStream` publishes for handling an order (`docs/benchmarks/results.json`, 0.7.0). It
/// measures one handler per program; several in one cost each of them about five percent.
const PUBLISHED: f64 = 1_673.0;

/// What is compared. One thread each, so that the count is the same on every run.
const PAIRS: [Pair; 3] = [
    Pair {
        title: "JSON, two integers: handle",
        ours: "flux, order, drain",
        theirs: "RustStream, order, drain",
        published: true,
    },
    Pair {
        title: "JSON, two integers: publish and handle",
        ours: "flux, order, cycle",
        theirs: "RustStream, order, cycle",
        published: false,
    },
    Pair {
        title: "JSON, 128-byte struct: handle",
        ours: "flux, sample, drain",
        theirs: "RustStream, sample, drain",
        published: false,
    },
];

struct Pair {
    title: &'static str,
    ours: &'static str,
    theirs: &'static str,
    published: bool,
}

/// Counts, and returns the section of the report with its verdicts.
pub(crate) fn section() -> Result<(String, Vec<Verdict>)> {
    let mut rows = String::new();
    let mut verdicts = Vec::new();
    for pair in PAIRS {
        let ours = counted(pair.ours)?;
        let theirs = counted(pair.theirs)?;
        rows.push_str(&row(&pair, pair.ours, ours));
        rows.push_str(&row(&pair, pair.theirs, theirs));
        verdicts.push(Verdict::new(
            format!("`{}` takes fewer instructions than `{}`", pair.ours, pair.theirs),
            ours.zip(theirs).map(|(ours, theirs)| ours / theirs),
            |ratio| ratio < 1.0,
        ));
        if pair.published {
            verdicts.push(Verdict::new(
                format!("`{}` takes fewer than the {PUBLISHED} published", pair.ours),
                ours,
                |ours| ours < PUBLISHED,
            ));
        }
    }
    let text = format!(
        "## Instructions per message\n\n\
         Counted by callgrind on one thread: what the second half of a run adds, per message.\n\n\
         | what | contender | instructions |\n|---|---|--:|\n{rows}\n{}",
        report::list(&verdicts)
    );
    Ok((text, verdicts))
}

/// Nothing for a contender that does not exist: its limit is then missed, as in a suite.
fn counted(contender: &str) -> Result<Option<f64>> {
    let exists = suite::contender(contender).is_ok();
    exists.then(|| callgrind::per_message(contender)).transpose()
}

fn row(pair: &Pair, contender: &str, instructions: Option<f64>) -> String {
    instructions
        .map_or_else(String::new, |instructions| format!("| {} | {contender} | {instructions:.0} |\n", pair.title))
}
