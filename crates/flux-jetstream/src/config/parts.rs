//! Words that streams are described with.

use std::time::SystemTime;

use async_nats::jetstream::stream as native;
use flux_core::Result;

use super::native_time;

/// When a stream lets go of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retention {
    /// When a limit says so.
    #[default]
    Limits,
    /// When every consumer that takes it has settled it, at once when there is none; or when a limit says so.
    Interest,
    /// When its one consumer has settled it; or when a limit says so. Two consumers may not take the same messages.
    WorkQueue,
}

/// What a full stream does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Discard {
    /// Lets go of its oldest messages, settled or not.
    #[default]
    Old,
    /// Refuses new ones with [`ErrorKind::Full`](flux_core::ErrorKind::Full).
    New,
    /// As [`New`](Self::New), and refuses a message for a subject that has its most messages already.
    NewPerSubject,
}

/// Where a stream is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// On disk.
    #[default]
    File,
    /// In the server's memory; gone when it stops, unless there are replicas.
    Memory,
}

/// How a stream on disk is compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// With S2, a faster relative of Snappy.
    S2,
}

/// What to do when a stream or consumer that is there differs from what the program declares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnDifference {
    /// Fail, naming each field with both values. Nothing is changed.
    #[default]
    Refuse,
    /// Change it to what is declared. Fails when the server does not allow that change.
    Update,
}

/// Renames subjects on their way in: what matches `source` is stored under `destination`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transform {
    /// A filter, for example `orders.*.created`.
    pub source: String,
    /// The new name, with `{{wildcard(1)}}` for the first wildcard and so on.
    pub destination: String,
}

/// Where the server puts a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    /// The name of a cluster; `None` leaves the choice to the server.
    pub cluster: Option<String>,
    /// Tags that each of the chosen servers has.
    pub tags: Vec<String>,
}

/// Publishes what was stored again, over core NATS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Republish {
    /// Which messages.
    pub source: String,
    /// Under which subject; as in [`Transform`].
    pub destination: String,
    /// Leave the payload away.
    pub headers_only: bool,
}

/// Another stream whose messages this one takes in.
#[derive(Debug, Clone)]
#[must_use]
pub struct Source {
    native: native::Source,
    start_time: Option<SystemTime>,
}

impl Source {
    /// All messages of the stream of this name.
    pub fn new(stream: impl Into<String>) -> Self {
        Self { native: native::Source { name: stream.into(), ..Default::default() }, start_time: None }
    }

    /// Only what this filter matches.
    pub fn with_filter(mut self, filter: impl Into<String>) -> Self {
        self.native.filter_subject = Some(filter.into());
        self
    }

    /// From this place on.
    pub fn with_start_sequence(mut self, sequence: u64) -> Self {
        self.native.start_sequence = Some(sequence);
        self
    }

    /// From the first message stored then or later.
    pub fn with_start_time(mut self, time: SystemTime) -> Self {
        self.start_time = Some(time);
        self
    }

    /// Renames subjects; called again, adds another rule. Not together with [`with_filter`](Self::with_filter).
    pub fn with_transform(mut self, source: impl Into<String>, destination: impl Into<String>) -> Self {
        let transform = native::SubjectTransform { source: source.into(), destination: destination.into() };
        self.native.subject_transforms.push(transform);
        self
    }

    /// The stream is in another JetStream domain.
    pub fn with_domain(mut self, domain: impl Into<String>) -> Self {
        self.native.domain = Some(domain.into());
        self
    }

    /// The stream is in another account, whose API this account imports under the given prefix, for example `JS.hub.API`. It
    /// delivers under the other prefix, which is imported as well; no token of it is that of a subject the stream takes.
    pub fn with_import(mut self, api_prefix: impl Into<String>, delivery_prefix: impl Into<String>) -> Self {
        let (api_prefix, delivery_prefix) = (api_prefix.into(), Some(delivery_prefix.into()));
        self.native.external = Some(native::External { api_prefix, delivery_prefix });
        self
    }

    /// Reads through this durable push consumer, which somebody has made with flow control as its ack policy and this
    /// delivery subject, instead of one that the server makes for itself. Needs a server of release 2.14 or newer (ADR-60).
    pub fn with_consumer(mut self, name: impl Into<String>, delivery_subject: impl Into<String>) -> Self {
        self.native.consumer = Some(native::StreamConsumerSource::new(name, delivery_subject));
        self
    }

    pub(super) fn native(&self) -> Result<native::Source> {
        let mut source = self.native.clone();
        source.start_time = self.start_time.map(native_time).transpose()?;
        // The client would turn a domain into a prefix on creation; what is compared must have it already.
        if let Some(domain) = source.domain.take() {
            source.external = Some(native::External { api_prefix: format!("$JS.{domain}.API"), delivery_prefix: None });
        }
        Ok(source)
    }
}
