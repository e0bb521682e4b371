//! How long to pause between attempts.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long to pause before the next attempt.
///
/// ```
/// use std::time::Duration;
///
/// use flux_stage::Backoff;
///
/// let backoff = Backoff::exponential(Duration::from_millis(100)).with_jitter(0.0).with_max(Duration::from_millis(300));
/// let pauses: Vec<_> = (1..=4).map(|failed| backoff.pause(failed).as_millis()).collect();
/// assert_eq!(pauses, [100, 200, 300, 300]);
/// ```
#[derive(Clone)]
pub struct Backoff {
    shape: Shape,
    max: Duration,
    jitter: f64,
    random: Random,
}

#[derive(Clone)]
enum Shape {
    Constant(Duration),
    Exponential { first: Duration, factor: f64 },
    Linear(Duration),
    Own(Arc<dyn Fn(u32) -> Duration + Send + Sync>),
}

impl Backoff {
    /// The same pause each time.
    #[must_use]
    pub fn constant(pause: Duration) -> Self {
        Self::shaped(Shape::Constant(pause), 0.0)
    }

    /// `first`, then twice as long each time, with jitter 0.5 so that those who failed together do not return together.
    #[must_use]
    pub fn exponential(first: Duration) -> Self {
        Self::shaped(Shape::Exponential { first, factor: 2.0 }, 0.5)
    }

    /// `step` after the first attempt, twice `step` after the second, and so on.
    #[must_use]
    pub fn linear(step: Duration) -> Self {
        Self::shaped(Shape::Linear(step), 0.0)
    }

    /// No pause at all.
    #[must_use]
    pub fn none() -> Self {
        Self::constant(Duration::ZERO)
    }

    /// What `pause` returns for the number of attempts that failed so far, from 1.
    #[must_use]
    pub fn own(pause: impl Fn(u32) -> Duration + Send + Sync + 'static) -> Self {
        Self::shaped(Shape::Own(Arc::new(pause)), 0.0)
    }

    fn shaped(shape: Shape, jitter: f64) -> Self {
        Self { shape, max: Duration::MAX, jitter, random: Random::new(RandomState::new().hash_one(0)) }
    }

    /// By what an exponential backoff grows from pause to pause; at least 1. The default is 2. Other shapes do not grow by
    /// a factor and keep theirs.
    #[must_use]
    pub fn with_factor(mut self, by: f64) -> Self {
        if let Shape::Exponential { factor, .. } = &mut self.shape {
            *factor = by.max(1.0);
        }
        self
    }

    /// The share of a pause that is left to chance, from 0 (none) to 1 (anything from nothing to the whole pause).
    #[must_use]
    pub fn with_jitter(mut self, share: f64) -> Self {
        self.jitter = share.clamp(0.0, 1.0);
        self
    }

    /// No pause is longer than this. Without it they grow without bound.
    #[must_use]
    pub fn with_max(mut self, max: Duration) -> Self {
        self.max = max;
        self
    }

    /// Makes the jitter the same in each run.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.random = Random::new(seed);
        self
    }

    /// The pause after `failed` attempts have failed, from 1.
    #[must_use]
    pub fn pause(&self, failed: u32) -> Duration {
        let whole = match &self.shape {
            Shape::Constant(pause) => *pause,
            Shape::Exponential { first, factor } => scaled(*first, factor.powi(power(failed))),
            Shape::Linear(step) => step.saturating_mul(failed),
            Shape::Own(pause) => pause(failed),
        };
        let whole = whole.min(self.max);
        if self.jitter > 0.0 { scaled(whole, 1.0 - self.jitter * self.random.next()) } else { whole }
    }
}

/// How often a pause has grown after so many failures.
fn power(failed: u32) -> i32 {
    i32::try_from(failed.saturating_sub(1)).unwrap_or(i32::MAX)
}

/// `pause` times `factor`, or the longest pause there is when that is more than a `Duration` holds.
fn scaled(pause: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(pause.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

impl fmt::Debug for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Backoff");
        match &self.shape {
            Shape::Constant(pause) => shown.field("constant", pause),
            Shape::Exponential { first, factor } => shown.field("exponential", first).field("factor", factor),
            Shape::Linear(step) => shown.field("linear", step),
            Shape::Own(_) => shown.field("own", &format_args!("_")),
        };
        shown.field("max", &self.max).field("jitter", &self.jitter).finish_non_exhaustive()
    }
}

/// `SplitMix64`: enough to spread pauses, shared without a lock.
struct Random(AtomicU64);

impl Random {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A number from 0 up to but not including 1.
    fn next(&self) -> f64 {
        let mut z = self.0.fetch_add(Self::STEP, Ordering::Relaxed).wrapping_add(Self::STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let high = u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or(u32::MAX);
        f64::from(high) / 4_294_967_296.0
    }
}

impl Clone for Random {
    fn clone(&self) -> Self {
        Self::new(self.0.load(Ordering::Relaxed))
    }
}
