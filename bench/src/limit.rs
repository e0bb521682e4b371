//! The limits flux sets itself, and whether the figures keep them.

use std::fmt::{self, Display};
use std::iter::once;

use crate::measurement::{Measurement, median};

/// Calls to the allocator per message that count as none: tokio's own channel asks for a block of
/// its queue about that often, because a block is not always free again when the next is needed.
const NONE: f64 = 0.01;

/// Two contenders may be level as long as the median of their ratios is no lower. More is no accident of the rounds.
const LEVEL_FROM: f64 = 0.97;

/// What a fair coin does less often than this is not put down to chance.
const SIGNIFICANT: f64 = 0.05;

/// What must hold of a suite's figures.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// `contender` makes at most so many calls to the allocator per message, to within a hundredth
    /// of a call.
    Allocations {
        /// Who.
        contender: &'static str,
        /// What the payload itself needs.
        at_most: f64,
    },
    /// `contender` handles at least so many messages.
    Rate {
        /// Who.
        contender: &'static str,
        /// Millions of messages per second.
        at_least: f64,
    },
    /// `contender` handles at least so many times as many messages per second as `other`. With 1 it may also be level.
    Times {
        /// Who.
        contender: &'static str,
        /// How many times as many.
        at_least: f64,
        /// As whom.
        other: &'static str,
    },
}

/// Whether something that must hold does, and the sentence that says so.
#[derive(Clone, Debug)]
pub struct Verdict {
    standing: Standing,
    rule: String,
    measured: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Standing {
    Kept,
    /// The rounds do not tell the two apart.
    Level,
    Missed,
}

impl Limit {
    /// Whom it is about.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        let (contender, other) = match self {
            Self::Allocations { contender, .. } | Self::Rate { contender, .. } => (contender, None),
            Self::Times { contender, other, .. } => (contender, Some(other)),
        };
        once(contender).chain(other)
    }

    /// Compares this limit with the figures of its suite. What was not measured is missed.
    #[must_use]
    pub fn judge(self, measurements: &[Measurement]) -> Verdict {
        let find = |name| measurements.iter().find(|m| m.name == name);
        match self {
            Self::Allocations { contender, at_most } => Verdict::new(
                format!("`{contender}` allocates at most {at_most} times per message"),
                find(contender).map(|m| m.allocations),
                |measured| measured < at_most + NONE,
            ),
            Self::Rate { contender, at_least } => Verdict::new(
                format!("`{contender}` handles at least {at_least} M/s"),
                find(contender).map(|m| m.rate() / 1e6),
                |measured| measured >= at_least,
            ),
            Self::Times { contender, at_least, other } => {
                let rule = format!("`{contender}` is at least {at_least} × `{other}`");
                let ratios = find(contender).zip(find(other)).map(|(m, o)| m.ratios(o)).unwrap_or_default();
                let figure = (!ratios.is_empty()).then(|| median(ratios.clone()));
                let verdict = Verdict::new(rule, figure, |measured| measured >= at_least);
                let parity = (at_least - 1.0).abs() < f64::EPSILON;
                if parity && !verdict.holds() && are_level(&ratios) { verdict.level() } else { verdict }
            }
        }
    }
}

impl Verdict {
    /// Judges a rule by a figure; without a figure it is missed.
    pub(crate) fn new(rule: String, figure: Option<f64>, keeps: impl Fn(f64) -> bool) -> Self {
        let standing = if figure.is_some_and(keeps) { Standing::Kept } else { Standing::Missed };
        Self { standing, rule, measured: figure.map(|figure| format!("{figure:.3}")) }
    }

    /// The rounds do not tell the two apart.
    fn level(self) -> Self {
        Self { standing: Standing::Level, ..self }
    }

    /// Whether the rule is kept, or the two are level.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.standing != Standing::Missed
    }
}

/// Whether rounds with these ratios, of which fewer than half are over 1, tell no difference: by a two-sided sign test.
fn are_level(ratios: &[f64]) -> bool {
    let ahead = ratios.iter().filter(|ratio| **ratio >= 1.0).count();
    let as_few: f64 = heads(ratios.len()).into_iter().take(ahead + 1).sum();
    median(ratios.to_vec()) >= LEVEL_FROM && ahead > 0 && 2.0 * as_few >= SIGNIFICANT
}

/// How likely so many tosses of a fair coin are to show heads not once, once, twice, and so on.
fn heads(tosses: usize) -> Vec<f64> {
    (0..tosses).fold(vec![1.0], |before, _| {
        let (same, one_more) = (before.iter().chain(once(&0.0)), once(&0.0).chain(&before));
        same.zip(one_more).map(|(same, one_more)| f64::midpoint(*same, *one_more)).collect()
    })
}

impl Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.standing {
            Standing::Kept => "kept",
            Standing::Level => "level",
            Standing::Missed => "MISSED",
        };
        let measured = self.measured.as_deref().unwrap_or("nothing");
        write!(f, "{word}: {}; measured {measured}", self.rule)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measurement::Round;

    fn measured(name: &'static str, millis: u64, allocations: f64) -> Measurement {
        let rounds = vec![Round { messages: 1_000, elapsed: Duration::from_millis(millis) }];
        Measurement { name, rounds, allocations }
    }

    #[test]
    fn a_limit_on_a_ratio_is_judged_both_ways() {
        let figures = [measured("ours", 2, 0.0), measured("theirs", 1, 0.0)];
        let times = |at_least| Limit::Times { contender: "ours", at_least, other: "theirs" };
        assert!(times(0.5).judge(&figures).holds());
        assert!(!times(0.51).judge(&figures).holds());
    }

    /// What is said of 1 × a rival, after rounds with these ratios in percent.
    fn against_a_rival(percent: &[u64]) -> Verdict {
        let rounds = |millis: &dyn Fn(u64) -> u64| {
            let round = |percent: &u64| Round { messages: 1_000, elapsed: Duration::from_millis(millis(*percent)) };
            percent.iter().map(round).collect()
        };
        let ours = Measurement { name: "ours", rounds: rounds(&|_| 1_000), allocations: 0.0 };
        let theirs = Measurement { name: "theirs", rounds: rounds(&|percent| 10 * percent), allocations: 0.0 };
        Limit::Times { contender: "ours", at_least: 1.0, other: "theirs" }.judge(&[ours, theirs])
    }

    #[test]
    fn a_difference_that_every_round_shows_is_missed() {
        for ratios in [&[95; 7][..], &[95; 3], &[99; 7], &[99], &[99, 99, 99]] {
            let verdict = against_a_rival(ratios);
            assert!(verdict.to_string().starts_with("MISSED") && !verdict.holds(), "{ratios:?}: {verdict}");
        }
    }

    #[test]
    fn rounds_on_both_sides_are_level_and_hold() {
        for ratios in [&[97, 98, 99, 99, 101, 102, 104][..], &[95, 96, 98, 99, 99, 99, 101], &[98, 99, 102]] {
            let verdict = against_a_rival(ratios);
            assert!(verdict.to_string().starts_with("level") && verdict.holds(), "{ratios:?}: {verdict}");
        }
        assert!(against_a_rival(&[98, 99, 100, 101, 102]).to_string().starts_with("kept"));
    }

    #[test]
    fn a_lucky_round_makes_no_parity() {
        let one_of_ten = [98, 98, 98, 98, 98, 98, 98, 98, 98, 101];
        let far_below = [80, 90, 90, 90, 101, 102, 103];
        for ratios in [&one_of_ten[..], &far_below] {
            assert!(!against_a_rival(ratios).holds(), "{ratios:?}");
        }
    }

    #[test]
    fn only_parity_can_be_level() {
        let round = |millis| Round { messages: 1_000, elapsed: Duration::from_millis(millis) };
        let of = |name, millis: [u64; 3]| Measurement { name, rounds: millis.map(round).to_vec(), allocations: 0.0 };
        let figures = [of("ours", [100, 100, 100]), of("theirs", [94, 94, 96])];
        let limit = Limit::Times { contender: "ours", at_least: 0.95, other: "theirs" };
        assert!(!limit.judge(&figures).holds());
    }

    #[test]
    fn an_allocation_per_message_is_over_a_limit_of_none() {
        let none = Limit::Allocations { contender: "ours", at_most: 0.0 };
        assert!(none.judge(&[measured("ours", 1, 0.006)]).holds());
        assert!(!none.judge(&[measured("ours", 1, 1.0)]).holds());
    }

    #[test]
    fn what_was_not_measured_is_missed() {
        let rate = Limit::Rate { contender: "ours", at_least: 1.0 };
        let verdict = rate.judge(&[]);
        assert!(!verdict.holds());
        assert!(verdict.to_string().ends_with("measured nothing"));
    }
}
