//! Arbitrary bytes for `Text`.
#![no_main]

use flux_codec::Text;
use flux_fuzz::check;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| check::<String>(&Text, None, data));
