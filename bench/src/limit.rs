//! The limits flux sets itself, and whether the figures keep them.

use std::fmt::{self, Display};

use crate::measurement::Measurement;

/// Calls to the allocator per message that count as none: tokio's own channel asks for a block of
/// its queue about that often, because a block is not always free again when the next is needed.
const NONE: f64 = 0.01;

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
    /// `contender` handles at least so many times as many messages per second as `other`.
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
    holds: bool,
    rule: String,
    measured: Option<String>,
}

impl Limit {
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
            Self::Times { contender, at_least, other } => Verdict::new(
                format!("`{contender}` is at least {at_least} × `{other}`"),
                find(contender).zip(find(other)).map(|(m, o)| m.times(o)),
                |measured| measured >= at_least,
            ),
        }
    }
}

impl Verdict {
    /// Judges a rule by a figure; without a figure it is missed.
    pub(crate) fn new(rule: String, figure: Option<f64>, keeps: impl Fn(f64) -> bool) -> Self {
        Self { holds: figure.is_some_and(keeps), rule, measured: figure.map(|figure| format!("{figure:.3}")) }
    }

    /// Whether the rule is kept.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.holds
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.holds { "kept" } else { "MISSED" };
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
