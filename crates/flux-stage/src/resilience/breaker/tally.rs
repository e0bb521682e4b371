//! Calls and failures of the last while, in slices of time, counted without a lock.

use super::sync::{AtomicU64, Ordering};

/// Slices of a window. The oldest leaves as a whole, so the window is exact to a tenth.
pub(crate) const SLICES: usize = 10;

const COUNT_BITS: u32 = 20;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;

/// Calls and failures of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sum {
    pub(crate) calls: u64,
    pub(crate) failures: u64,
}

impl Sum {
    /// Whether at least `share` of at least `calls_min` calls failed.
    #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^24")]
    pub(crate) fn reaches(self, share: f64, calls_min: u64) -> bool {
        self.calls >= calls_min && self.failures as f64 >= share * self.calls as f64
    }
}

/// One word per slice of the window: the slice's number, calls and failures.
#[derive(Debug)]
pub(crate) struct Tally {
    slices: [AtomicU64; SLICES],
    width: u64,
}

/// A slice's word, taken apart.
#[derive(Debug, Clone, Copy)]
struct Slice {
    /// The last 24 bits of its number: a slice is taken for another one only after 16 million without a call.
    number: u64,
    sum: Sum,
}

impl Slice {
    const NUMBER: u64 = (1 << 24) - 1;

    const fn pack(self) -> u64 {
        self.number << (2 * COUNT_BITS) | self.sum.calls << COUNT_BITS | self.sum.failures
    }

    const fn unpack(word: u64) -> Self {
        let sum = Sum { calls: word >> COUNT_BITS & COUNT_MAX, failures: word & COUNT_MAX };
        Self { number: word >> (2 * COUNT_BITS), sum }
    }

    /// Counts a call. At the largest count both are halved, which keeps their ratio.
    const fn plus(self, failed: bool) -> Self {
        let Sum { mut calls, mut failures } = self.sum;
        if calls >= COUNT_MAX {
            (calls, failures) = (calls / 2, failures / 2);
        }
        Self { sum: Sum { calls: calls + 1, failures: failures + failed as u64 }, ..self }
    }
}

impl Tally {
    /// Counts over `window` nanoseconds.
    pub(crate) fn new(window: u64) -> Self {
        Self { slices: std::array::from_fn(|_| AtomicU64::new(0)), width: (window / SLICES as u64).max(1) }
    }

    /// The number of the slice at `now`. It starts at one, so that an untouched word belongs to no slice in use.
    const fn number(&self, now: u64) -> u64 {
        now / self.width + 1
    }

    /// Counts a call; the sum is that of the window, and made only of failures, which alone can open a circuit.
    #[inline]
    pub(crate) fn add(&self, now: u64, failed: bool) -> Sum {
        let number = self.number(now) & Slice::NUMBER;
        let Some(slice) = self.slice(now) else { return Sum::default() };
        let mut word = slice.load(Ordering::Relaxed);
        loop {
            let old = Slice::unpack(word);
            let base = match number.wrapping_sub(old.number) & Slice::NUMBER {
                0 => old,
                // A caller that was held up for a whole window does not wipe out what came after it.
                behind if old.number > 0 && behind > Slice::NUMBER / 2 => return Sum::default(),
                _ => Slice { number, sum: Sum::default() },
            };
            match slice.compare_exchange_weak(word, base.plus(failed).pack(), Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if failed => return self.sum(now),
                Ok(_) => return Sum::default(),
                Err(changed) => word = changed,
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the remainder is less than the number of slices")]
    fn slice(&self, now: u64) -> Option<&AtomicU64> {
        self.slices.get((self.number(now) % SLICES as u64) as usize)
    }

    /// What the window holds at `now`.
    fn sum(&self, now: u64) -> Sum {
        let newest = self.number(now);
        let mut sum = Sum::default();
        for slice in &self.slices {
            let slice = Slice::unpack(slice.load(Ordering::Acquire));
            let age = newest.wrapping_sub(slice.number) & Slice::NUMBER;
            if slice.number > 0 && age < SLICES as u64 {
                sum.calls += slice.sum.calls;
                sum.failures += slice.sum.failures;
            }
        }
        sum
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        for slice in &self.slices {
            slice.store(0, Ordering::Release);
        }
    }
}
