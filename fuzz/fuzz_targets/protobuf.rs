//! Arbitrary bytes for `Protobuf`.
#![no_main]

use flux_codec::Protobuf;
use flux_fuzz::{Proto, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| check::<Proto>(&Protobuf, None, data));
