//! The options of streams and consumers, with names and defaults of JetStream.

mod consumer;
mod parts;
mod stream;

pub use consumer::{Acks, ConsumerConfig, DeliverPolicy, PriorityGroup, ReplayPolicy};
pub use parts::{Compression, Discard, OnDifference, Placement, Republish, Retention, Source, Storage, Transform};
pub use stream::StreamConfig;

use std::time::SystemTime;

use flux_core::{Error, ErrorKind, Result};

/// A count as the server has it, which knows no unsigned numbers.
pub(crate) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A time as the client has it.
pub(crate) fn native_time(time: SystemTime) -> Result<async_nats::datetime::DateTime> {
    let nanos = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i128::try_from(since.as_nanos()).unwrap_or(i128::MAX),
        Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(i128::MAX),
    };
    async_nats::datetime::from_nanos(nanos)
        .map_err(|error| Error::new(ErrorKind::InvalidInput, "a time that no calendar has").with_source(error))
}

/// Refuses what the server would not take as the name of a stream or consumer.
pub(crate) fn check_name(what: &str, name: &str) -> Result<()> {
    let flaw = if name.is_empty() {
        "the name is empty"
    } else if name.len() > 255 {
        "the name is longer than 255 bytes"
    } else if name.bytes().any(|byte| byte <= b' ' || byte == 0x7f || b".*>/\\".contains(&byte)) {
        "a name has no spaces, control characters, `.`, `*`, `>`, `/` or `\\`"
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::InvalidInput, format!("{what} `{name}`: {flaw}")))
}
