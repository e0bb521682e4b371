//! Randomness that a failed test can be given again.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// The variable that holds the seed of a run that is to be repeated.
const SEED: &str = "FLUX_SEED";

/// Draws numbers; says on standard output, which the test harness shows of a failure, how to draw the same again.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// Seeded by `FLUX_SEED` where that is set, else by the system.
    ///
    /// # Panics
    /// When `FLUX_SEED` is not a number.
    #[must_use]
    #[expect(clippy::print_stdout, reason = "the harness keeps it for itself unless the test fails")]
    pub fn new() -> Self {
        let given = std::env::var(SEED).ok().map(|seed| seed.parse().expect("FLUX_SEED is a number"));
        let seed = given.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        println!("{SEED}={seed}");
        Self(seed)
    }

    /// A number from 0 up to this one, which is not drawn.
    ///
    /// # Panics
    /// When there is no such number.
    pub fn below(&mut self, end: u64) -> u64 {
        // SplitMix64: one addition and a mix a draw, and no crate.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

impl Default for Dice {
    fn default() -> Self {
        Self::new()
    }
}
