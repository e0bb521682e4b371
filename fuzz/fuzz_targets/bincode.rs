//! Arbitrary bytes for `Bincode`.
#![no_main]

use flux_codec::Bincode;
use flux_fuzz::{LIMIT, Value, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| check::<Value>(&Bincode.with_limit(LIMIT), None, data));
