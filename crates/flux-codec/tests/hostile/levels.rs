//! Values within values.

use std::fmt::Debug;
use std::thread;

use flux_codec::{Bincode, Cbor, Json, MsgPack, Postcard, Protobuf};
use flux_core::Codec;
use serde::{Deserialize, Serialize};

use crate::memory::alone;
use crate::shapes::{Chain, Empty, Maybe, Nested, Node, Tree, refused, written};

const DEEP: usize = 1_000_000; // levels, far beyond any stack

/// The stack of a thread that the standard library or tokio starts, in bytes.
const STACK: usize = 2 * 1024 * 1024;

#[test]
fn sequences_without_end_are_refused() {
    let _alone = alone();
    refused::<Nested>(&Json, "[".repeat(DEEP));
    refused::<Nested>(&Cbor, vec![0x81; DEEP]);
    refused::<Nested>(&Cbor, vec![0x9f; DEEP]); // of indefinite length
    refused::<Nested>(&MsgPack, vec![0x91; DEEP]);
    refused::<Nested>(&Postcard, vec![1; DEEP]);
    refused::<Nested>(&Bincode, vec![1; DEEP]);
}

#[test]
fn maps_without_end_are_refused() {
    let _alone = alone();
    refused::<Tree>(&Json, "{\"0\":".repeat(DEEP));
    refused::<Tree>(&Cbor, [0xa1, 0].repeat(DEEP));
    refused::<Tree>(&MsgPack, [0x81, 0].repeat(DEEP));
    refused::<Tree>(&Postcard, [1, 0].repeat(DEEP));
    refused::<Tree>(&Bincode, [1, 0].repeat(DEEP));
}

#[test]
fn enums_without_end_are_refused() {
    let _alone = alone();
    refused::<Chain>(&Json, "{\"Next\":".repeat(DEEP));
    refused::<Chain>(&Cbor, b"\xa1\x64Next".repeat(DEEP));
    refused::<Chain>(&MsgPack, b"\x81\xa4Next".repeat(DEEP));
    refused::<Chain>(&Postcard, vec![1; DEEP]);
    refused::<Chain>(&Bincode, vec![1; DEEP]);
}

#[test]
fn structs_and_optional_values_without_end_are_refused() {
    let _alone = alone();
    refused::<Node>(&Json, "{\"next\":".repeat(DEEP));
    refused::<Node>(&Cbor, b"\xa1\x64next".repeat(DEEP));
    refused::<Node>(&MsgPack, b"\x81\xa4next".repeat(DEEP));
    refused::<Node>(&Postcard, vec![1; DEEP]);
    refused::<Node>(&Bincode, vec![1; DEEP]);
    // One value that is there suffices: its optional values within have no bytes of their own.
    refused::<Maybe>(&Cbor, [0]);
    refused::<Maybe>(&MsgPack, [0]);
    refused::<Maybe>(&Postcard, vec![1; DEEP]);
    refused::<Maybe>(&Bincode, vec![1; DEEP]);
}

#[test]
fn what_is_skipped_is_refused_too_when_it_has_no_end() {
    let _alone = alone();
    let behind = |field: &[u8], level: &[u8]| [field, &level.repeat(DEEP)].concat();
    refused::<Empty>(&Json, behind(b"{\"x\":", b"["));
    refused::<Empty>(&Cbor, behind(b"\xa1\x61x", b"\x81"));
    refused::<Empty>(&Cbor, behind(b"\xa1\x61x", b"\xc1")); // tags
    refused::<Empty>(&MsgPack, behind(b"\x81\xa1x", b"\x91"));
    refused::<Empty>(&MsgPack, behind(b"\x81\xa1x", b"\x81\x00"));
    refused::<Proto>(&Protobuf, behind(b"", b"\x4b")); // groups
}

#[derive(Clone, PartialEq, prost::Message)]
struct Proto {
    #[prost(message, optional, boxed, tag = "3")]
    inner: Option<Box<Proto>>,
}

#[test]
fn messages_without_end_are_refused() {
    let _alone = alone();
    // Each level of a message is a tag and the length of the rest; lengths of five bytes stay the same.
    let level = |level: u32| {
        let len = level * 6;
        let part = |at: u32| u8::try_from(len >> (7 * at) & 0x7f).unwrap() | if at < 4 { 0x80 } else { 0 };
        [0x1a, part(0), part(1), part(2), part(3), part(4)]
    };
    refused::<Proto>(&Protobuf, (0..100_000).rev().flat_map(level).collect::<Vec<u8>>());
}

/// How often the value can be wrapped and still be read.
fn deepest<T: Debug + PartialEq, C: Codec<T>>(codec: &C, mut value: T, wrap: impl Fn(T) -> T) -> usize {
    for times in 0..1_000 {
        let bytes = written(codec, &value);
        match codec.decode(&bytes) {
            Ok(read) => assert_eq!(read, value),
            Err(_) => return times,
        }
        value = wrap(value);
    }
    1_000
}

#[test]
fn what_is_a_level_is_the_same_in_every_format_that_counts_them_here() {
    let _alone = alone();
    macro_rules! levels {
        ($($codec:expr),*) => {$(
            let nested = deepest(&$codec, Nested(Vec::new()), |inner| Nested(vec![inner]));
            let node = deepest(&$codec, Node { next: None }, |inner| Node { next: Some(Box::new(inner)) });
            let chain = deepest(&$codec, Chain::End, |inner| Chain::Next(Box::new(inner)));
            let tree = deepest(&$codec, Tree([].into()), |inner| Tree([(7, inner)].into()));
            assert_eq!([nested, node, chain, tree], [128; 4], "{:?}", $codec);
        )*};
    }
    levels!(Cbor, MsgPack, Postcard, Bincode);
    assert_eq!(deepest(&Json, Nested(Vec::new()), |inner| Nested(vec![inner])), 127);
    for codec in [deepest(&Postcard, Maybe(None), wrapped), deepest(&Bincode, Maybe(None), wrapped)] {
        assert_eq!(codec, 129, "the innermost has nothing within");
    }
}

fn wrapped(inner: Maybe) -> Maybe {
    Maybe(Some(Box::new(inner)))
}

/// A struct of more fields than most that nest; without optimisation each level takes many times its size of stack.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Wide {
    a: Option<String>,
    b: [u64; 4],
    c: (u8, u32, f64),
    d: Vec<u8>,
    e: Option<f64>,
    f: String,
    g: Option<Box<Wide>>,
}

fn check_on_a_small_stack(codec: impl Codec<Wide> + 'static) {
    let decode = move || {
        let deeper = |inner| Wide { g: Some(Box::new(inner)), ..Wide::default() };
        deepest(&codec, Wide::default(), deeper)
    };
    let levels = thread::Builder::new().stack_size(STACK).spawn(decode).unwrap().join().unwrap();
    assert!(levels >= 126, "{levels}");
}

#[test]
fn the_deepest_value_fits_the_stack_of_a_thread() {
    let _alone = alone();
    check_on_a_small_stack(Json);
    check_on_a_small_stack(Cbor);
    check_on_a_small_stack(MsgPack);
    check_on_a_small_stack(Postcard);
    check_on_a_small_stack(Bincode);
}
