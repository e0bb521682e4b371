//! Arbitrary bytes for `Protobuf`.
#![no_main]

use flux_codec::Protobuf;
use flux_fuzz::{LIMIT, Proto, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| check::<Proto>(&Protobuf.with_limit(LIMIT), None, data));
