#![doc = include_str!("../README.md")]

#[cfg(feature = "router")]
pub mod guide;
pub mod prelude;

#[doc(inline)]
pub use flux_core::*;

/// Codecs, one feature each.
#[cfg(any(
    feature = "auto",
    feature = "bincode",
    feature = "cbor",
    feature = "json",
    feature = "msgpack",
    feature = "postcard",
    feature = "protobuf",
    feature = "raw",
    feature = "text",
))]
pub mod codec {
    #[doc(inline)]
    pub use flux_codec::*;
}

/// In-process channels, and streams that keep messages until they are settled.
#[cfg(feature = "mem")]
pub mod mem {
    #[doc(inline)]
    pub use flux_mem::*;
}

/// Routes, workers, retries, dead letters and drain.
#[cfg(feature = "router")]
pub mod router {
    #[doc(inline)]
    pub use flux_router::*;
}
