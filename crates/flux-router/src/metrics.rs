//! What a route has done so far.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flux_core::FailureClass;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The live counters of one worker. Only that worker writes, so a load and a store do for an addition; in cache lines
        /// of their own, so that nobody else waits for them.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)*
            /// Deliveries whose handling is over; raised before the transport is told.
            completed: AtomicU64,
            duration_ns: AtomicU64,
        }

        /// What a route has done so far. Every figure but the duration counts messages.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct RouteMetrics {
            $($(#[$doc])* pub $name: u64,)*
            /// The time that the route's workers were busy, all together; written down when a worker has nothing left to do,
            /// and every 1,024 deliveries. Where requests are handled as they arrive, it is that of every eighth call after the
            /// first 64 of a worker, times eight.
            pub duration: Duration,
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> RouteMetrics {
                RouteMetrics {
                    $($name: self.$name.load(Relaxed),)*
                    duration: Duration::from_nanos(self.duration_ns.load(Relaxed)),
                }
            }
        }

        impl std::ops::AddAssign<&Self> for RouteMetrics {
            fn add_assign(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
                self.duration += other.duration;
            }
        }
    };
}

counters! {
    /// Taken, and not yet settled or answered.
    in_flight,
    /// Handled with success.
    handled,
    /// Handler calls that ended in a failure worth a retry.
    failed_retry,
    /// Handler calls that ended in a failure for good.
    failed_permanent,
    /// Messages that a handler asked to drop.
    failed_drop,
    /// Handler calls that panicked.
    failed_panic,
    /// Handler calls that took longer than the route allows.
    failed_timeout,
    /// Messages whose payload did not decode.
    undecodable,
    /// Attempts after the first: redeliveries asked for, calls repeated in place, and attempts to store a dead letter that failed
    /// and are to be made again.
    retried,
    /// Messages stored as dead letters.
    dead_lettered,
    /// Messages that were given up and could not be stored as dead letters, on a transport that does not redeliver or a
    /// route without dead letters, or because they are dead letters themselves.
    lost,
    /// Deliveries whose settlement or answer did not reach the transport.
    unsettled,
}

impl Counters {
    /// A delivery was taken.
    pub(crate) fn take(&self) {
        self.in_flight.store(1, Relaxed);
    }

    /// The delivery is settled or answered. One whose worker is dropped stays in flight: it is withheld, not done.
    pub(crate) fn finish(&self) {
        self.in_flight.store(0, Relaxed);
    }

    /// The handling of a delivery is over, and its transport is about to be told.
    pub(crate) fn complete(&self) {
        self.completed.store(self.completed.load(Relaxed) + 1, Release);
    }

    pub(crate) fn completed(&self) -> u64 {
        self.completed.load(Acquire)
    }

    /// A handler call failed.
    pub(crate) fn fail(&self, class: &str, then: FailureClass) {
        count(match (class, then) {
            ("panic", _) => &self.failed_panic,
            ("timeout", _) => &self.failed_timeout,
            (_, FailureClass::Drop) => &self.failed_drop,
            (_, FailureClass::Permanent) => &self.failed_permanent,
            _ => &self.failed_retry,
        });
    }

    pub(crate) fn took(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.duration_ns.store(self.duration_ns.load(Relaxed).saturating_add(nanos), Relaxed);
    }
}

/// The counters of a route, one entry a worker. They outlive the route for whoever reports them: what it did last counts too.
#[derive(Debug, Default)]
pub(crate) struct Workers(Mutex<Vec<Arc<Counters>>>);

impl Workers {
    pub(crate) fn add(&self) -> Arc<Counters> {
        let counters = Arc::new(Counters::default());
        self.lock().push(Arc::clone(&counters));
        counters
    }

    pub(crate) fn total(&self) -> RouteMetrics {
        let mut total = RouteMetrics::default();
        for worker in &*self.lock() {
            total += &worker.snapshot();
        }
        total
    }

    pub(crate) fn completed(&self) -> u64 {
        self.lock().iter().map(|worker| worker.completed()).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Counters>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed) + 1, Relaxed);
}

impl RouteMetrics {
    /// Handler calls that failed, of every class.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed_retry + self.failed_permanent + self.failed_drop + self.failed_panic + self.failed_timeout
    }
}
