//! Arbitrary bytes for `Postcard`.
#![no_main]

use flux_codec::Postcard;
use flux_fuzz::{LIMIT, Value, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| check::<Value>(&Postcard.with_limit(LIMIT), None, data));
