//! Arbitrary bytes for `Raw`.
#![no_main]

use bytes::Bytes;
use flux_codec::Raw;
use flux_fuzz::{LIMIT, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| check::<Bytes>(&Raw.with_limit(LIMIT), None, data));
