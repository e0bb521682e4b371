//! Arbitrary bytes under an arbitrary content type for `Auto`.
#![no_main]

use flux_codec::{Auto, Json};
use flux_fuzz::{LIMIT, Value, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let types = [
        "application/json",
        "application/cbor",
        "application/msgpack",
        "application/x-postcard",
        "application/x-bincode",
    ];
    check::<Value>(&Auto::new(Json.with_limit(LIMIT)), types.get(usize::from(input.0) % 6).copied(), input.1);
});
