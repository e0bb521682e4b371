//! A limiter: a bucket that can be exchanged, a clock, and the line of those who wait.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::nanos::Nanos;

use super::RateLimited;
use super::bucket::Bucket;
use super::rate::Rate;
use super::sync::{ArcSwap, AtomicU32, Instant, Line, Mutex, Notify, Ordering, timeout, timeout_at};

/// What [`RateLimit`](crate::RateLimit) asks. Clones share one rate, which can be changed while they are in use.
#[derive(Clone)]
pub struct Limiter(Arc<Shared>);

struct Shared {
    allowed: ArcSwap<Allowed>,
    /// Held while the rate is changed.
    change: Mutex<()>,
    changed: Notify,
    /// Whoever holds it is next.
    line: Line<()>,
    waiting: AtomicU32,
}

struct Allowed {
    rate: Rate,
    bucket: Bucket<RuntimeClock>,
}

/// The runtime's clock, which tests can pause.
#[derive(Debug, Clone, Copy)]
struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    type Instant = Nanos;

    #[inline]
    fn now(&self) -> Nanos {
        let elapsed = self.0.elapsed();
        // Ten times as fast as to go by way of 128 bits, and good for 584 years.
        Nanos::from(elapsed.as_secs().wrapping_mul(1_000_000_000).wrapping_add(u64::from(elapsed.subsec_nanos())))
    }
}

impl Allowed {
    fn new(rate: Rate, left: u32) -> Self {
        Self { rate, bucket: Bucket::new(rate.quota(), left, RuntimeClock(Instant::now())) }
    }
}

impl Limiter {
    /// Allows `rate`; its whole burst is there at once.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self(Arc::new(Shared {
            allowed: ArcSwap::from_pointee(Allowed::new(rate, rate.burst())),
            change: Mutex::default(),
            changed: Notify::new(),
            line: Line::default(),
            waiting: AtomicU32::new(0),
        }))
    }

    /// The rate.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.0.allowed.load().rate
    }

    /// Changes the rate, for those who wait too. What was left of the burst stays, as far as the new one has room: a change
    /// lets nobody through by itself.
    pub fn set_rate(&self, rate: Rate) {
        let _alone = self.0.change.lock().unwrap_or_else(PoisonError::into_inner);
        let left = self.0.allowed.load().bucket.drain();
        self.0.allowed.store(Arc::new(Allowed::new(rate, left)));
        self.0.changed.notify_waiters();
    }

    /// Takes one call, if there is one and nobody waits for it.
    ///
    /// # Errors
    /// [`RateLimited`].
    #[inline]
    pub fn try_take(&self) -> Result<(), RateLimited> {
        if self.0.waiting.load(Ordering::Relaxed) > 0 {
            return Err(RateLimited::new(self.turn()));
        }
        self.take().map_err(RateLimited::new)
    }

    /// Takes one call, and waits for it up to `patience`. Those who wait are served in the order they came.
    ///
    /// # Cancel safety
    /// A dropped call leaves the line and takes nothing.
    ///
    /// # Errors
    /// [`RateLimited`], at once when the line is so long that the wait would be.
    pub async fn take_within(&self, patience: Duration) -> Result<(), RateLimited> {
        match self.try_take() {
            Ok(()) => Ok(()),
            Err(refused) if patience.is_zero() => Err(refused),
            Err(_) => self.wait(patience).await,
        }
    }

    /// Takes from the bucket of the moment.
    #[inline]
    fn take(&self) -> Result<(), Duration> {
        self.0.allowed.load().bucket.take().or_else(|_| self.take_again())
    }

    /// Asks again while nobody changes the rate: a bucket that is drained for its successor refuses what is there.
    #[cold]
    fn take_again(&self) -> Result<(), Duration> {
        let _alone = self.0.change.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.allowed.load().bucket.take()
    }

    /// When the last in line would be served, at worst.
    fn turn(&self) -> Duration {
        self.rate().interval().saturating_mul(self.0.waiting.load(Ordering::Relaxed))
    }

    #[cold]
    async fn wait(&self, patience: Duration) -> Result<(), RateLimited> {
        let ahead = self.0.waiting.load(Ordering::Relaxed).saturating_sub(1);
        let soonest = self.rate().interval().saturating_mul(ahead);
        if soonest > patience {
            return Err(RateLimited::new(self.turn()));
        }
        let _place = Place::new(&self.0.waiting);
        // A wait too long to be told has no end.
        let until = Instant::now().checked_add(patience);
        let _first = match until {
            None => self.0.line.lock().await,
            Some(until) => {
                timeout_at(until, self.0.line.lock()).await.map_err(|_elapsed| RateLimited::new(self.turn()))?
            }
        };
        loop {
            let changed = self.0.changed.notified();
            let Err(wait) = self.take() else { return Ok(()) };
            if until.is_some_and(|until| wait > until.saturating_duration_since(Instant::now())) {
                return Err(RateLimited::new(wait));
            }
            // Either way it is time to look again.
            let _ = timeout(wait, changed).await;
        }
    }
}

/// A limiter for one stage.
impl From<Rate> for Limiter {
    fn from(rate: Rate) -> Self {
        Self::new(rate)
    }
}

/// The same limiter, for another stage.
impl From<&Self> for Limiter {
    fn from(limiter: &Self) -> Self {
        limiter.clone()
    }
}

/// One place in the line.
struct Place<'l>(&'l AtomicU32);

impl<'l> Place<'l> {
    fn new(waiting: &'l AtomicU32) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.0.waiting.load(Ordering::Relaxed);
        f.debug_struct("Limiter").field("rate", &self.rate()).field("waiting", &waiting).finish_non_exhaustive()
    }
}
