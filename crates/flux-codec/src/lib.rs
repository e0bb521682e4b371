#![cfg_attr(feature = "json", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "json"), doc = "From values to bytes and back, one codec a feature.")]

#[cfg(feature = "auto")]
mod auto;
#[cfg(feature = "bincode")]
mod bincode;
#[cfg(any(feature = "bincode", feature = "cbor", feature = "msgpack", feature = "postcard"))]
mod bounded;
#[cfg(any(feature = "bincode", feature = "cbor", feature = "msgpack", feature = "postcard"))]
mod budget;
#[cfg(feature = "cbor")]
mod cbor;
mod format;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "msgpack")]
mod msgpack;
#[cfg(feature = "postcard")]
mod postcard;
#[cfg(feature = "protobuf")]
mod protobuf;
#[cfg(feature = "raw")]
mod raw;
#[cfg(feature = "text")]
mod text;

#[cfg(feature = "bincode")]
pub use self::bincode::Bincode;
#[cfg(feature = "postcard")]
pub use self::postcard::Postcard;
#[cfg(feature = "auto")]
pub use auto::Auto;
#[cfg(feature = "cbor")]
pub use cbor::Cbor;
pub use format::{DEFAULT_LIMIT, Format, Limited};
#[cfg(feature = "json")]
pub use json::Json;
#[cfg(feature = "msgpack")]
pub use msgpack::MsgPack;
#[cfg(feature = "protobuf")]
pub use protobuf::Protobuf;
#[cfg(feature = "raw")]
pub use raw::Raw;
#[cfg(feature = "text")]
pub use text::Text;
