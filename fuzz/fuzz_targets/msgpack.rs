//! Arbitrary bytes for `MsgPack`.
#![no_main]

use flux_codec::MsgPack;
use flux_fuzz::{LIMIT, Value, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| check::<Value>(&MsgPack.with_limit(LIMIT), None, data));
