//! Arbitrary bytes for `Text`.
#![no_main]

use flux_codec::Text;
use flux_fuzz::{LIMIT, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| check::<String>(&Text.with_limit(LIMIT), None, data));
