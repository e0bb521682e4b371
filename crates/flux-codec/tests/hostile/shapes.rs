//! Types that give a hostile payload something to work with.

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;
use flux_core::{Codec, ErrorKind};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

/// Nests by a sequence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Nested(pub(crate) Vec<Nested>);

/// Nests by an optional field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) next: Option<Box<Node>>,
}

/// Nests by an enum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Chain {
    End,
    Next(Box<Chain>),
}

/// Nests by a map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tree(pub(crate) BTreeMap<u8, Tree>);

/// Nests by nothing but optional values, which the self-describing formats do not write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Maybe(pub(crate) Option<Box<Maybe>>);

/// Skips what it does not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Empty {}

/// Takes no byte of a binary payload, and 24 of memory.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Skipped {
    #[serde(skip)]
    pub(crate) memory: [u64; 3],
}

/// Takes no byte of any payload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Nothing;

impl Serialize for Nothing {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Nothing {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

/// A type that a codec of serde's types takes.
pub(crate) trait Value: Debug + Serialize + DeserializeOwned {}

impl<T: Debug + Serialize + DeserializeOwned> Value for T {}

pub(crate) fn written<T, C: Codec<T>>(codec: &C, value: &T) -> Bytes {
    let mut buffer = Vec::new();
    codec.encode(value, &mut buffer).unwrap();
    buffer.into()
}

/// The payload is refused as not being a `T`.
#[track_caller]
pub(crate) fn refused<T: Debug>(codec: &impl Codec<T>, payload: impl AsRef<[u8]>) {
    let error = codec.decode(&Bytes::copy_from_slice(payload.as_ref())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec, "{error}");
}
