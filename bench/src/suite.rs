//! A suite: the contenders of one question, run in turns.

use std::fmt;
use std::sync::Arc;

use crate::Result;
use crate::contender::Contender;
use crate::limit::Limit;
use crate::measurement::Measurement;
use crate::options::Options;
use crate::turns::{self, Turn};

pub mod http;
pub(crate) mod instructions;
pub mod json;
pub mod mem;
pub mod nats;
pub(crate) mod stages;
pub mod stream;
pub(crate) mod telemetry;
pub mod trie;

/// Rounds without `--rounds`.
pub(crate) const ROUNDS: u64 = 7;

/// One question and who answers it.
pub struct Suite {
    /// The word on the command line; suites may share it.
    pub command: &'static str,
    /// What is asked, as a heading.
    pub title: &'static str,
    /// What one message goes through.
    pub method: &'static str,
    /// Messages per round.
    pub messages: u64,
    /// Who; the first is what the others are compared with.
    pub contenders: Vec<Arc<dyn Contender>>,
    /// What must hold.
    pub limits: Vec<Limit>,
}

/// Every suite, in the order of the report.
#[must_use]
pub fn all() -> Vec<Suite> {
    let mut suites = vec![mem::suite()];
    suites.extend(json::suites());
    suites.push(stream::suite());
    suites.push(trie::suite());
    suites.extend(http::suites());
    suites.extend(nats::suites());
    suites
}

/// The contender called `name`.
///
/// # Errors
///
/// When there is none, with the names there are.
pub fn contender(name: &str) -> Result<Arc<dyn Contender>> {
    let parts = stages::contenders().into_iter().chain(telemetry::contenders());
    let all: Vec<_> = all().into_iter().flat_map(|s| s.contenders).chain(parts).collect();
    let names: Vec<_> = all.iter().map(|contender| contender.name()).collect();
    let names = names.join("\n  ");
    all.into_iter()
        .find(|contender| contender.name() == name)
        .ok_or_else(|| format!("no contender is called {name}; there are\n  {names}").into())
}

impl Suite {
    /// The part of it that `text` asks for, if it asks for any: those of that name, or all under that title. What is left out has no
    /// limits to keep.
    pub(crate) fn only(mut self, text: &str) -> Option<Self> {
        if !self.title.contains(text) {
            self.contenders.retain(|contender| contender.name().contains(text));
            let is_there = |name: &str| self.contenders.iter().any(|contender| contender.name() == name);
            self.limits.retain(|limit| limit.names().all(is_there));
        }
        (!self.contenders.is_empty()).then_some(self)
    }

    /// Measures the contenders.
    pub(crate) fn run(&self, options: &Options) -> Result<Vec<Measurement>> {
        let names = self.contenders.iter().map(|contender| contender.name());
        let turns: Vec<_> = names.map(Turn::new).collect::<Result<_>>()?;
        turns::take(&turns, options.rounds(ROUNDS), options.messages(self.messages))
    }
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite").field("title", &self.title).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::stopwatch::Stopwatch;

    #[test]
    fn names_are_unique() {
        let names: Vec<_> =
            all().iter().flat_map(|suite| &suite.contenders).map(|contender| contender.name()).collect();
        let unique: HashSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len(), "{names:?}");
    }

    #[test]
    fn a_part_has_the_limits_that_it_can_keep() {
        let rows = |text: &str| {
            let parts = all().into_iter().filter_map(|suite| suite.only(text));
            parts.fold((0, 0), |(rows, limits), part| (rows + part.contenders.len(), limits + part.limits.len()))
        };
        assert_eq!(rows("tokio mpsc"), (1, 0), "nobody is left to compare it with");
        assert_eq!(rows("HTTP: requests on one connection"), (4, 3), "the whole table");
        assert_eq!(rows("no such thing"), (0, 0));
    }

    #[test]
    fn every_contender_handles_every_message() -> Result {
        for suite in all() {
            for contender in &suite.contenders {
                contender.run(2_500, &mut Stopwatch::default())?;
            }
        }
        Ok(())
    }

    #[test]
    fn an_unknown_contender_is_refused_with_the_names_there_are() {
        let error = contender("nobody").map(|_| ()).expect_err("refused");
        assert!(error.to_string().contains("tokio mpsc"));
    }
}
