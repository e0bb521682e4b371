//! How far a route is behind, as its transport said when it was last asked.

use std::time::{Duration, Instant};

/// The last answer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Standing {
    /// Messages that are there for the route and not settled.
    pub(crate) lag: Option<u64>,
    /// How old the oldest of them was, and when: it goes on ageing until the transport is asked again.
    pub(crate) oldest: Option<(Duration, Instant)>,
}

impl Standing {
    /// How old the oldest is by now, in seconds; 0 when there is none, `None` when nobody knows.
    pub(crate) fn age(&self) -> Option<f64> {
        let age = self.oldest.map(|(age, asked)| age + asked.elapsed());
        age.or_else(|| (self.lag == Some(0)).then_some(Duration::ZERO)).map(|age| age.as_secs_f64())
    }
}
