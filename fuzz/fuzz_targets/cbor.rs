//! Arbitrary bytes for `Cbor`.
#![no_main]

use flux_codec::Cbor;
use flux_fuzz::{LIMIT, Value, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| check::<Value>(&Cbor.with_limit(LIMIT), None, data));
