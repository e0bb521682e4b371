//! What the fuzz targets share: a type of every shape, and the properties that decoders must have.

use std::alloc::System;
use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;
use flux_core::{Codec, ErrorKind};
use serde::{Deserialize, Serialize};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A value of every shape serde knows, nested without end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// Nothing.
    Unit,
    /// One number.
    Number(i64),
    /// A number of another width.
    Wide(i128),
    /// A number with a fraction.
    Float(Float),
    /// One character.
    Char(char),
    /// Text beside a flag.
    Pair(bool, String),
    /// Bytes as they are.
    Bytes(Bytes),
    /// Elements that have no bytes in some formats.
    Units(Vec<()>),
    /// Elements that have no bytes, and take memory.
    Skipped(Vec<Skipped>),
    /// By name.
    Map(BTreeMap<String, Value>),
    /// By number.
    Numbered(BTreeMap<u8, [u16; 2]>),
    /// Nested by a type of one field and an optional value.
    Next(Next),
    /// Named fields.
    Record {
        /// Optional text.
        note: Option<String>,
        /// More of the same.
        inner: Vec<Value>,
    },
}

/// One more level, or the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Next(Option<Box<Value>>);

/// Takes memory, but no byte of a binary payload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    #[serde(skip)]
    memory: [u64; 3],
}

/// A number that equals itself, even when it is none. JSON has no infinite ones, so those are all zero here.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "f64")]
pub struct Float(f64);

impl From<f64> for Float {
    fn from(number: f64) -> Self {
        Self(if number.is_finite() { number } else { 0.0 })
    }
}

impl PartialEq for Float {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

/// The same for protobuf.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Proto {
    /// A number.
    #[prost(sint64, tag = "1")]
    pub number: i64,
    /// Text.
    #[prost(string, tag = "2")]
    pub text: String,
    /// More of the same.
    #[prost(message, repeated, tag = "3")]
    pub inner: Vec<Proto>,
    /// Numbers in a row.
    #[prost(uint64, repeated, tag = "4")]
    pub packed: Vec<u64>,
    /// By name.
    #[prost(btree_map = "string, fixed32", tag = "5")]
    pub map: BTreeMap<String, u32>,
    /// Bytes as they are.
    #[prost(bytes = "vec", optional, tag = "6")]
    pub bytes: Option<Vec<u8>>,
}

/// The bound that the targets set, in bytes: far below the default, so that going beyond shows.
pub const LIMIT: usize = 64 * 1024;

/// What decoding may ask the allocator for whatever the payload: an error, and elements without bytes as far as the bound goes.
const BASE: usize = 3 * LIMIT;

/// What decoding may ask for because of one byte of the payload: a node of a tree, and vectors grow by doubling.
const PER_BYTE: usize = 2 * 1024;

/// Decoding ends with an error, or with a value that survives the way back; either in memory that the payload accounts for.
///
/// # Panics
/// When it does not.
pub fn check<T: PartialEq + Debug>(codec: &impl Codec<T>, content_type: Option<&str>, data: &[u8]) {
    let payload = Bytes::copy_from_slice(data);
    let region = Region::new(ALLOCATOR);
    let decoded = codec.decode_as(content_type, &payload);
    let taken = region.change().bytes_allocated;
    assert!(taken <= PER_BYTE * data.len() + BASE, "{taken} bytes of memory for a payload of {}", data.len());
    if let Ok(value) = decoded {
        let mut buffer = Vec::new();
        match codec.encode(&value, &mut buffer) {
            // Elements without bytes may have them in the encoding that `Auto` writes, and come to more than the bound.
            Err(error) if error.kind() == ErrorKind::TooLarge => return,
            written => written.expect("what was decoded can be encoded"),
        }
        let again = codec.decode(&buffer.into()).expect("what was encoded can be decoded");
        assert_eq!(again, value);
    }
}
