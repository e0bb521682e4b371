//! What was handled, and how often.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use flux_core::{Failure, Message};
use flux_router::State;

use crate::Job;

/// How often the handler of each job was called.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<Mutex<BTreeMap<u64, u64>>>);

impl Tally {
    pub(crate) fn called(&self, number: u64) {
        *self.0.lock().unwrap().entry(number).or_default() += 1;
    }

    /// Each job, and how often it was handled.
    pub(crate) fn calls(&self) -> BTreeMap<u64, u64> {
        self.0.lock().unwrap().clone()
    }

    /// Those of them that were never handled.
    pub(crate) fn lost(&self, stored: &BTreeSet<u64>) -> Vec<u64> {
        let calls = self.calls();
        stored.iter().copied().filter(|number| !calls.contains_key(number)).collect()
    }

    /// Calls beyond the first of each job.
    pub(crate) fn doubled(&self) -> u64 {
        self.calls().values().map(|times| times - 1).sum()
    }
}

/// Handles a job at once.
pub(crate) async fn count(job: Message<Job>, State(tally): State<Tally>) -> Result<(), Failure> {
    tally.called(job.payload.number);
    Ok(())
}
