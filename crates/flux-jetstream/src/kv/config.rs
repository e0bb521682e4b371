//! How a bucket is to be.

use std::time::Duration;

use flux_core::Result;

use crate::config::{Compression, Discard, OnDifference, Placement, Storage, StreamConfig, check_name};

/// How a bucket is to be.
///
/// Defaults: on disk, one replica, no limits, no history but the newest value.
#[derive(Debug, Clone)]
#[must_use]
pub struct KvConfig {
    pub(super) bucket: String,
    stream: StreamConfig,
}

impl KvConfig {
    /// A bucket of this name: letters, digits, `-` and `_`.
    pub fn new(bucket: impl Into<String>) -> Self {
        let bucket = bucket.into();
        let stream = StreamConfig::new(format!("KV_{bucket}"), [format!("$KV.{bucket}.>")])
            .with_max_messages_per_subject(1)
            .with_discard(Discard::New)
            .with_rollup()
            .with_deny_delete()
            .with_direct_get();
        Self { bucket, stream }
    }

    fn changed(self, change: impl FnOnce(StreamConfig) -> StreamConfig) -> Self {
        Self { bucket: self.bucket, stream: change(self.stream) }
    }

    /// How many values of a key are kept: 1 to 64.
    pub fn with_history(self, values: u8) -> Self {
        self.changed(|stream| stream.with_max_messages_per_subject(u64::from(values.clamp(1, 64))))
    }

    /// How long a value is kept; at least 100 ms.
    pub fn with_max_age(self, age: Duration) -> Self {
        self.changed(|stream| stream.with_max_age(age))
    }

    /// Lets single values have a time to live, and leaves a marker of this life when one is over; at least 1 s.
    pub fn with_delete_marker_ttl(self, ttl: Duration) -> Self {
        self.changed(|stream| stream.with_delete_marker_ttl(ttl))
    }

    /// The most bytes the bucket holds; at least 1. A full one refuses with [`ErrorKind::Full`](flux_core::ErrorKind::Full).
    pub fn with_max_bytes(self, bytes: u64) -> Self {
        self.changed(|stream| stream.with_max_bytes(bytes))
    }

    /// The most bytes one value may have.
    pub fn with_max_value_bytes(self, bytes: u32) -> Self {
        self.changed(|stream| stream.with_max_message_bytes(bytes))
    }

    /// Where the bucket is kept.
    pub fn with_storage(self, storage: Storage) -> Self {
        self.changed(|stream| stream.with_storage(storage))
    }

    /// How a bucket on disk is compressed.
    pub fn with_compression(self, compression: Compression) -> Self {
        self.changed(|stream| stream.with_compression(compression))
    }

    /// On how many servers of a cluster: 1 to 5.
    pub fn with_replicas(self, replicas: usize) -> Self {
        self.changed(|stream| stream.with_replicas(replicas))
    }

    /// Where the server puts the bucket.
    pub fn with_placement(self, placement: Placement) -> Self {
        self.changed(|stream| stream.with_placement(placement))
    }

    /// What happens when the bucket is there and differs. Default: an error that names each field.
    pub fn with_on_difference(self, on_difference: OnDifference) -> Self {
        self.changed(|stream| stream.with_on_difference(on_difference))
    }

    pub(super) fn into_stream(self) -> Result<StreamConfig> {
        check_name("bucket", &self.bucket)?;
        Ok(self.stream)
    }
}
