//! Governor's cell on an atomic of ours, and what is left in it. It knows no runtime.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use super::sync::{AtomicU64, Ordering};

/// When governor expects the next call, in nanoseconds since the bucket was made; zero before the first.
struct Cell(AtomicU64);

impl StateStore for Cell {
    type Key = NotKeyed;

    #[inline]
    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut before = self.0.load(Ordering::Acquire);
        loop {
            let (result, after) = decide(NonZeroU64::new(before).map(|nanos| nanos.get().into()))?;
            match self.0.compare_exchange_weak(before, after.into(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(result),
                Err(changed) => before = changed,
            }
        }
    }
}

/// What one rate allows.
pub(crate) struct Bucket<C: Clock<Instant = Nanos>> {
    limiter: RateLimiter<NotKeyed, Cell, C, StateInformationMiddleware>,
    clock: C,
}

impl<C: Clock<Instant = Nanos> + Clone> Bucket<C> {
    /// A bucket with `left` calls in it, or as many as it holds.
    pub(crate) fn new(quota: Quota, left: u32, clock: C) -> Self {
        let limiter = RateLimiter::new(quota, Cell(AtomicU64::new(0)), clock.clone());
        let bucket = Self { limiter, clock };
        if let Some(missing) = NonZeroU32::new(quota.burst_size().get().saturating_sub(left)) {
            // A new bucket is full, so this cannot be refused.
            let _ = bucket.limiter.check_n(missing);
        }
        bucket
    }

    /// Takes one call, or says how long until there is one.
    #[inline]
    pub(crate) fn take(&self) -> Result<(), Duration> {
        match self.limiter.check() {
            Ok(_) => Ok(()),
            // At least a nanosecond, so that whoever waits does not spin.
            Err(not_until) => Err(not_until.wait_time_from(self.clock.now()).max(Duration::from_nanos(1))),
        }
    }

    /// Takes all calls and says how many there were, so that another bucket can have them.
    pub(crate) fn drain(&self) -> u32 {
        let mut taken = 0;
        while let Ok(snapshot) = self.limiter.check() {
            taken += 1;
            // Others may take some in between; then it is one at a time until the next look.
            if let Some(rest) = NonZeroU32::new(snapshot.remaining_burst_capacity())
                && matches!(self.limiter.check_n(rest), Ok(Ok(_)))
            {
                taken += rest.get();
            }
        }
        taken
    }
}
