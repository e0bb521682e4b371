//! What the handlers share: the buses they publish to, and what they have counted.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flux::prelude::*;
use flux::{ArcRequester, Typed};

use crate::flight::{AirlineName, NameRequest};
use crate::report::Carrier;

/// A typed bus over the wire `W`.
pub(crate) type Bus<W> = Typed<W, Json>;

/// The handlers' state. Cheap to clone.
pub(crate) struct Desk<W>(Arc<Parts<W>>);

pub(crate) struct Parts<W> {
    /// Carries flights and alerts.
    pub(crate) bus: Bus<W>,
    /// Carries requests for names.
    pub(crate) requests: ArcRequester<NameRequest, AirlineName>,
    pub(crate) decoded: Counter,
    pub(crate) dead_letters: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) cancelled: Counter,
    pub(crate) unknown_airlines: Counter,
    /// Departures that were handled to the end.
    pub(crate) handled: Counter,
    /// Alerts that were published.
    pub(crate) raised: Counter,
    pub(crate) by_carrier: Mutex<BTreeMap<String, Carrier>>,
    /// Flights that were handled, and alerts that were counted.
    pub(crate) done: Mutex<HashSet<String>>,
}

impl<W> Desk<W> {
    pub(crate) fn new(bus: Bus<W>, requests: ArcRequester<NameRequest, AirlineName>) -> Self {
        Self(Arc::new(Parts {
            bus,
            requests,
            decoded: Counter::default(),
            dead_letters: Counter::default(),
            duplicates: Counter::default(),
            cancelled: Counter::default(),
            unknown_airlines: Counter::default(),
            handled: Counter::default(),
            raised: Counter::default(),
            by_carrier: Mutex::default(),
            done: Mutex::default(),
        }))
    }
}

impl<W> Clone for Desk<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W> std::ops::Deref for Desk<W> {
    type Target = Parts<W>;

    fn deref(&self) -> &Parts<W> {
        &self.0
    }
}

/// A number that handlers raise.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Locks what a handler that panicked may have held: each change to it is whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The names of the airlines, and the failures that were asked for.
#[derive(Debug, Clone)]
pub(crate) struct Airlines(Arc<AirlinesInner>);

#[derive(Debug)]
struct AirlinesInner {
    names: HashMap<String, String>,
    fail_every: Option<u64>,
    asked: AtomicU64,
    failed: Mutex<HashSet<String>>,
}

impl Airlines {
    /// The airlines that come with the program.
    pub(crate) fn new(fail_every: Option<u64>) -> Self {
        let lines = include_str!("../../../data/airlines.csv").lines().skip(1);
        let names = lines.filter_map(|line| line.split_once(',')).map(|(code, name)| (code.into(), name.into()));
        let inner =
            AirlinesInner { names: names.collect(), fail_every, asked: AtomicU64::new(0), failed: Mutex::default() };
        Self(Arc::new(inner))
    }

    pub(crate) fn name(&self, carrier: &str) -> Option<&String> {
        self.0.names.get(carrier)
    }

    /// Whether this request is one that is to fail: each Nth, once.
    pub(crate) fn fails(&self, flight: &str) -> bool {
        let Some(every) = self.0.fail_every else { return false };
        let mut failed = lock(&self.0.failed);
        if failed.contains(flight) {
            return false;
        }
        let fails = (self.0.asked.fetch_add(1, Relaxed) + 1).is_multiple_of(every);
        if fails {
            failed.insert(flight.to_owned());
        }
        fails
    }
}
