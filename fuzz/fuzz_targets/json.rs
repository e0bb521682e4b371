//! Arbitrary bytes for `Json`.
#![no_main]

use flux_codec::Json;
use flux_fuzz::{LIMIT, Value, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| check::<Value>(&Json.with_limit(LIMIT), None, data));
