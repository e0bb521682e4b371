//! What the fuzz targets share: a type of every shape, and the property that decoders must have.

use bytes::Bytes;
use flux_core::Codec;
use serde::{Deserialize, Serialize};

/// A value of every shape serde knows, nested without end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// Nothing.
    Unit,
    /// One number.
    Number(i64),
    /// Text beside a flag.
    Pair(bool, String),
    /// Named fields.
    Record {
        /// Optional text.
        note: Option<String>,
        /// More of the same.
        inner: Vec<Value>,
    },
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
}

/// Decoding ends with an error, or with a value that survives the way back.
///
/// # Panics
/// When it does not.
pub fn check<T: PartialEq + std::fmt::Debug>(codec: &impl Codec<T>, content_type: Option<&str>, data: &[u8]) {
    if let Ok(value) = codec.decode_as(content_type, &Bytes::copy_from_slice(data)) {
        let mut buffer = Vec::new();
        codec.encode(&value, &mut buffer).expect("what was decoded can be encoded");
        let again = codec.decode(&buffer.into()).expect("what was encoded can be decoded");
        assert_eq!(again, value);
    }
}
