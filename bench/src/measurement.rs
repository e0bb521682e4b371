//! One contender's figures over all rounds.

use std::time::Duration;

/// What one run of a contender took.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Messages handled.
    pub messages: u64,
    /// Time in measured regions.
    pub elapsed: Duration,
}

impl Round {
    /// Messages per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        count(self.messages) / self.elapsed.as_secs_f64()
    }
}

/// A contender's rounds and what its messages allocate.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// The contender's name.
    pub name: &'static str,
    /// Its rounds, in the order they were run.
    pub rounds: Vec<Round>,
    /// Calls to the allocator per message.
    pub allocations: f64,
}

impl Measurement {
    /// Messages per second: the median of the rounds.
    #[must_use]
    pub fn rate(&self) -> f64 {
        median(self.rounds.iter().map(Round::rate).collect())
    }

    /// Messages per second in the slowest and the fastest round.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        let rates = self.rounds.iter().map(Round::rate);
        (rates.clone().fold(f64::INFINITY, f64::min), rates.fold(0.0, f64::max))
    }

    /// How many times as fast as `other`: the median of the ratios of the same round, because
    /// what slows one round down slows both contenders in it.
    #[must_use]
    pub fn times(&self, other: &Self) -> f64 {
        median(self.ratios(other))
    }

    /// How many times as fast as `other` in each round.
    #[must_use]
    pub fn ratios(&self, other: &Self) -> Vec<f64> {
        let pairs = self.rounds.iter().zip(&other.rounds);
        pairs.map(|(a, b)| a.rate() / b.rate()).collect()
    }
}

/// The middle value, the lower of the two in a list of even length; not a number for none.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len().saturating_sub(1) / 2;
    values.get(middle).copied().unwrap_or(f64::NAN)
}

/// A count as a float. Counts here stay far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
#[must_use]
pub fn count(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(millis: &[u64]) -> Measurement {
        let round = |millis: &u64| Round { messages: 1_000, elapsed: Duration::from_millis(*millis) };
        Measurement { name: "subject", rounds: millis.iter().map(round).collect(), allocations: 0.0 }
    }

    #[test]
    fn one_slow_round_does_not_move_the_median() {
        let subject = measured(&[10, 10, 1_000]);
        assert!((subject.rate() - 100_000.0).abs() < 1e-6);
        assert!((subject.range().0 - 1_000.0).abs() < 1e-6);
    }

    #[test]
    fn a_machine_that_slows_down_does_not_move_the_ratio() {
        let slower = measured(&[20, 40, 80]);
        let baseline = measured(&[10, 20, 40]);
        assert!((slower.times(&baseline) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn the_median_of_nothing_is_not_a_number() {
        assert!(median(Vec::new()).is_nan());
    }
}
