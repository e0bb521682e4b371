//! Honest payloads with a few bytes changed.

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;
use flux_codec::{Bincode, Cbor, Json, MsgPack, Postcard};
use flux_core::Codec;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::memory::{alone, memory};
use crate::shapes::{Chain, Nested, Tree, written};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Sample {
    lists: Vec<Vec<u64>>,
    text: String,
    bytes: Bytes,
    map: BTreeMap<String, Option<i128>>,
    units: Vec<()>,
    tree: Tree,
    chain: Chain,
    nested: Nested,
    shape: Shape,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    New(char),
    Pair(f64, bool),
    Fields { a: Option<u8>, b: [u16; 4] },
}

fn sample() -> Sample {
    Sample {
        lists: vec![vec![1, 2, u64::MAX], Vec::new(), vec![3]],
        text: "some text".to_owned(),
        bytes: Bytes::from_static(&[0xde, 0xad, 0xbe, 0xef]),
        map: [("one".to_owned(), Some(i128::MAX)), ("two".to_owned(), None)].into(),
        units: vec![(); 3],
        tree: Tree([(1, Tree([(2, Tree([].into()))].into()))].into()),
        chain: Chain::Next(Box::new(Chain::End)),
        nested: Nested(vec![Nested(Vec::new()), Nested(vec![Nested(Vec::new())])]),
        shape: Shape::Fields { a: Some(1), b: [1, 2, 3, 4] },
    }
}

/// Far below the default, so that going beyond it shows.
const LIMIT: usize = 64 * 1024; // bytes

/// A value or an error, in memory that the payload's bytes account for.
fn check<T: Debug>(codec: &impl Codec<T>, payload: &Bytes) {
    let len = payload.len();
    let (_, taken) = memory(|| codec.decode(payload));
    // A node of a tree is the most that one byte can be. Elements without bytes take the bound, twice as the vector grows.
    assert!(taken <= 1024 * len + 2 * LIMIT, "{taken} bytes for {len}: {payload:x?}");
}

fn change(bytes: &Bytes, changes: &[(prop::sample::Index, u8)], end: prop::sample::Index) -> Bytes {
    let mut bytes = bytes.to_vec();
    for (at, byte) in changes {
        *at.get_mut(&mut bytes) = *byte;
    }
    // One in two is cut short.
    let end = end.index(2 * bytes.len());
    bytes.truncate(end);
    bytes.into()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_payload_is_a_value_or_an_error(
        changes in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..4),
        end: prop::sample::Index,
    ) {
        let _alone = alone();
        let sample = sample();
        macro_rules! each {
            ($($codec:expr),*) => {$(
                let payload = change(&written(&$codec, &sample), &changes, end);
                check::<Sample>(&$codec.with_limit(LIMIT), &payload);
            )*};
        }
        each!(Json, Cbor, MsgPack, Postcard, Bincode);
    }
}
