//! How long a worker is busy, with as few looks at the clock as will do.

use std::sync::Arc;
use std::time::Instant;

use crate::metrics::Counters;

/// Deliveries in a row after which the time is written down even if the worker does not rest.
const ROW: u32 = 1024;

/// Measures from the moment a worker gets something to do until it has nothing left. Looking at the clock for each delivery
/// would cost as much as taking one.
#[derive(Debug)]
pub(crate) struct Pace {
    counters: Arc<Counters>,
    busy_since: Instant,
    row: u32,
}

impl Pace {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        Self { counters, busy_since: Instant::now(), row: 0 }
    }

    /// A delivery is over.
    pub(crate) fn step(&mut self) {
        self.row += 1;
        if self.row == ROW {
            self.rest();
            self.start();
        }
    }

    /// There is nothing to do for now.
    pub(crate) fn rest(&mut self) {
        if self.row > 0 {
            self.counters.took(self.busy_since.elapsed());
            self.row = 0;
        }
    }

    /// There is something to do again.
    pub(crate) fn start(&mut self) {
        self.busy_since = Instant::now();
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        self.rest();
    }
}
