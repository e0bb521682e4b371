//! Lengths that the payload does not have.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use bytes::Bytes;
use flux_codec::{Bincode, Cbor, DEFAULT_LIMIT, Json, MsgPack, Postcard, Protobuf, Text};
use flux_core::{Codec, ErrorKind};

use crate::memory::{alone, memory};
use crate::shapes::{Nested, Value, refused, written};

/// What an error may take, in bytes: its text, its backtrace, a buffer of the reader's.
const SMALL: usize = 16 * 1024;

/// Lengths that no payload has, as each format writes them.
const POSTCARD: [&[u8]; 2] = [&[0xff, 0xff, 0xff, 0xff, 0x0f], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]];
const BINCODE: [&[u8]; 2] = [&[0xfc, 0xff, 0xff, 0x6f, 0x00], &[0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]];

#[track_caller]
fn refused_in_little_memory<T: Debug>(codec: &impl Codec<T>, payload: &[u8]) {
    let payload = Bytes::copy_from_slice(payload);
    let (result, bytes) = memory(|| codec.decode(&payload));
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Codec);
    assert!(bytes < SMALL, "{bytes} bytes for a payload of {}", payload.len());
}

/// Refused by the binary formats, whatever the bound.
fn refused_by_all<T: Value>(cbor: u8, msgpack: &[u8]) {
    for length in POSTCARD {
        refused_in_little_memory::<T>(&Postcard, length);
        refused_in_little_memory::<T>(&Postcard.with_limit(usize::MAX), length);
    }
    for length in BINCODE {
        refused_in_little_memory::<T>(&Bincode, length);
        refused_in_little_memory::<T>(&Bincode.with_limit(100), length);
        refused_in_little_memory::<T>(&Bincode.with_limit(usize::MAX), length);
    }
    let narrow = [cbor | 0x1a, 0xff, 0xff, 0xff, 0xff];
    let wide = [cbor | 0x1b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    for codec in [Cbor.with_limit(DEFAULT_LIMIT), Cbor.with_limit(usize::MAX)] {
        refused_in_little_memory::<T>(&codec, &narrow);
        refused_in_little_memory::<T>(&codec, &wide);
    }
    for marker in msgpack {
        refused_in_little_memory::<T>(&MsgPack, &[*marker, 0xff, 0xff, 0xff, 0xff]);
        refused_in_little_memory::<T>(&MsgPack.with_limit(usize::MAX), &[*marker, 0xff, 0xff, 0xff, 0xff]);
    }
}

#[test]
fn a_length_that_is_not_there_is_refused_and_takes_no_memory() {
    let _alone = alone();
    refused_by_all::<Vec<u64>>(0x80, &[0xdd]);
    refused_by_all::<Vec<[u64; 32]>>(0x80, &[0xdd]);
    refused_by_all::<Vec<String>>(0x80, &[0xdd]);
    refused_by_all::<HashMap<u64, u64>>(0xa0, &[0xdf]);
    refused_by_all::<BTreeMap<u64, u64>>(0xa0, &[0xdf]);
    refused_by_all::<String>(0x60, &[0xdb]);
    refused_by_all::<Box<str>>(0x60, &[0xdb]);
    refused_by_all::<Vec<u8>>(0x40, &[0xc6]);
    refused_by_all::<Bytes>(0x40, &[0xc6, 0xc9]); // 0xc9 is an extension
    refused_in_little_memory::<u128>(&Cbor, &[0xc2, 0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    refused_in_little_memory::<u128>(&MsgPack, &[0xc6, 0xff, 0xff, 0xff, 0xff]);
}

#[test]
fn strings_and_bytes_in_parts_that_are_not_there_are_refused() {
    let _alone = alone();
    refused_in_little_memory::<String>(&Cbor, &[0x7f, 0x7b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    refused_in_little_memory::<Bytes>(&Cbor, &[0x5f, 0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    refused_in_little_memory::<String>(&Cbor, &[0x7f, 0x61]);
    refused::<String>(&Cbor, vec![0x7f; 1_000_000]);
    refused::<Bytes>(&Cbor, vec![0x5f; 1_000_000]);
}

#[test]
fn lengths_within_lengths_do_not_add_up() {
    let _alone = alone();
    refused_in_little_memory::<Nested>(&Postcard, &POSTCARD.concat().repeat(60));
    refused_in_little_memory::<Nested>(&Bincode, &BINCODE.concat().repeat(60));
    refused_in_little_memory::<Nested>(&MsgPack, &[0xdd, 0xff, 0xff, 0xff, 0xff].repeat(120));
    refused_in_little_memory::<Nested>(&Cbor, &[0x9a, 0xff, 0xff, 0xff, 0xff].repeat(120));
    // Lengths that are believed one by one: more would be reserved for than the payload can hold.
    refused_in_little_memory::<Nested>(&Postcard, &[120].repeat(120));
    refused_in_little_memory::<Nested>(&Bincode, &[120].repeat(120));
    refused_in_little_memory::<Nested>(&MsgPack, &[0xdc, 0, 120].repeat(100));
    refused_in_little_memory::<Nested>(&Cbor, &[0x98, 120].repeat(100));
}

#[derive(Clone, PartialEq, prost::Message)]
struct Proto {
    #[prost(string, tag = "1")]
    text: String,
    #[prost(bytes = "vec", tag = "2")]
    bytes: Vec<u8>,
    #[prost(fixed64, repeated, tag = "3")]
    fixed: Vec<u64>,
    #[prost(uint64, repeated, tag = "4")]
    packed: Vec<u64>,
    #[prost(map = "string, uint64", tag = "5")]
    map: HashMap<String, u64>,
    #[prost(message, repeated, tag = "6")]
    inner: Vec<Proto>,
}

#[test]
fn protobuf_refuses_a_length_that_is_not_there() {
    let _alone = alone();
    for tag in [0x0a, 0x12, 0x1a, 0x22, 0x2a, 0x32, 0x3a] {
        refused_in_little_memory::<Proto>(&Protobuf, &[tag, 0xff, 0xff, 0xff, 0xff, 0x0f]);
        refused_in_little_memory::<Proto>(&Protobuf, &[&[tag][..], &[0xff; 9], &[0x01]].concat());
    }
}

/// Read, and with no more memory than it takes to hold the value while it grows.
fn kept<T: Value + PartialEq>(codec: &impl Codec<T>, value: &T, holds: usize) {
    let bytes = written(codec, value);
    let (read, taken) = memory(|| codec.decode(&bytes).unwrap());
    assert_eq!(&read, value);
    assert!(taken <= 4 * holds + SMALL, "{taken} bytes for a value of {holds}");
}

#[test]
fn what_is_long_and_there_is_read() {
    let _alone = alone();
    let small_numbers: Vec<u64> = vec![1; 1_500_000]; // 1.5 MB written, 12 MB in memory
    let text = "ä".repeat(2_000_000);
    let bytes = Bytes::from(vec![0xfe; 4_000_000]);
    macro_rules! each {
        ($($codec:expr),*) => {$(
            kept(&$codec, &small_numbers, 12_000_000);
            kept(&$codec, &text, 4_000_000);
            kept(&$codec.with_limit(usize::MAX), &text, 4_000_000);
        )*};
    }
    each!(Json, Cbor, MsgPack, Postcard, Bincode);
    kept(&Cbor, &bytes, bytes.len());
    kept(&MsgPack, &bytes, bytes.len());
    kept(&Postcard, &bytes, bytes.len());
    kept(&Bincode, &bytes, bytes.len());
}

#[test]
fn numbers_and_text_that_are_none_are_refused() {
    let _alone = alone();
    refused::<f64>(&Json, "1".repeat(1_000_000));
    refused::<f64>(&Json, "1e999999999999");
    refused::<u64>(&Json, "9".repeat(1_000_000));
    refused::<u64>(&Json, format!("-{}", "9".repeat(1_000_000)));
    refused::<String>(&Json, "\"\\ud800\"");
    refused::<String>(&Json, &b"\"\xff\""[..]);
    refused::<String>(&Text, &b"\xff\xfe"[..]);
    refused::<u64>(&Postcard, [0xff; 11]);
    refused::<String>(&Postcard, [1, 0xff]);
    refused::<String>(&Bincode, [1, 0xff]);
    refused::<String>(&MsgPack, [0xa1, 0xff]);
    refused::<String>(&Cbor, [0x61, 0xff]);
    refused::<u128>(&Cbor, [&[0xc2, 0x58, 17][..], &[0xff; 17]].concat());
}
