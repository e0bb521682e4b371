//! A store that fails as stores do: now and then, and for a while.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use flux::stage::{CircuitOpen, RateLimited};
use serde::Deserialize;

/// How an insert that failed is noted.
pub(crate) const FAILED: char = 'x';

/// Each so-many-th insert fails.
const FAILS_EACH: u64 = 7;

/// The insert at which the store goes down.
const DOWN_FROM: u64 = 20;

/// What makes a flight the one it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the fields are named as in the data")]
pub(crate) struct Flight {
    pub(crate) month: u8,
    pub(crate) day: u8,
    pub(crate) sched_dep_time: u16,
    pub(crate) carrier: String,
    pub(crate) flight: u32,
    pub(crate) origin: String,
}

/// Why an insert failed.
#[derive(Debug)]
pub(crate) enum StoreError {
    /// The circuit is open: the store was not asked.
    Open(CircuitOpen),
    /// The rate limit is reached: the store was not asked.
    Limited(RateLimited),
    /// The store did not answer.
    Unavailable,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(refusal) => refusal.fmt(f),
            Self::Limited(refusal) => refusal.fmt(f),
            Self::Unavailable => f.write_str("the store did not answer"),
        }
    }
}

impl Error for StoreError {}

impl From<CircuitOpen> for StoreError {
    fn from(refusal: CircuitOpen) -> Self {
        Self::Open(refusal)
    }
}

impl From<RateLimited> for StoreError {
    fn from(refusal: RateLimited) -> Self {
        Self::Limited(refusal)
    }
}

/// The store.
#[derive(Debug, Default)]
pub(crate) struct Store {
    outage: u64,
    calls: AtomicU64,
    inserts: Mutex<String>,
    rows: Mutex<BTreeSet<Flight>>,
}

impl Store {
    /// One that is down for `outage` inserts.
    pub(crate) fn new(outage: u64) -> Self {
        Self { outage, ..Self::default() }
    }

    /// Inserts all of the flights or none, and says of each whether it is new.
    pub(crate) async fn insert(&self, flights: Vec<Flight>) -> Result<Vec<bool>, StoreError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
        let is_down = (DOWN_FROM..DOWN_FROM + self.outage).contains(&call);
        let fails = is_down || call.is_multiple_of(FAILS_EACH);
        self.inserts.lock().unwrap_or_else(PoisonError::into_inner).push(if fails { FAILED } else { '.' });
        if fails {
            return Err(StoreError::Unavailable);
        }
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(flights.into_iter().map(|flight| rows.insert(flight)).collect())
    }

    /// The inserts so far, a dot for each that went well and an `x` for each that failed.
    pub(crate) fn inserts(&self) -> String {
        self.inserts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Flights in it.
    pub(crate) fn rows(&self) -> usize {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
