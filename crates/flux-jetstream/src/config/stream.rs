//! How a stream is to be.

use std::time::Duration;

use async_nats::jetstream::stream as native;
use flux_core::{Error, ErrorKind, Result, SubjectFilter};

use super::{
    Compression, Discard, OnDifference, Placement, Republish, Retention, Source, Storage, Transform, check_name, signed,
};

const MINUTES_2: Duration = Duration::from_mins(2);

/// How a stream is to be.
///
/// Defaults: on disk, one replica, no limits, [`Retention::Limits`], [`Discard::Old`], a duplicate window of two minutes (or the
/// maximum age, if that is less).
#[derive(Debug, Clone)]
#[must_use]
pub struct StreamConfig {
    native: native::Config,
    duplicate_window: Option<Duration>,
    mirror: Option<Source>,
    sources: Vec<Source>,
    pub(crate) on_difference: OnDifference,
}

impl StreamConfig {
    /// A stream that takes what these filters match. One that mirrors or gathers other streams may have none.
    pub fn new<I>(name: impl Into<String>, subjects: I) -> Self
    where
        I: IntoIterator<Item: Into<String>>,
    {
        let native = native::Config {
            name: name.into(),
            subjects: subjects.into_iter().map(Into::into).collect(),
            max_messages: -1,
            max_messages_per_subject: -1,
            max_bytes: -1,
            max_message_size: -1,
            max_consumers: -1,
            num_replicas: 1,
            compression: Some(native::Compression::None),
            ..Default::default()
        };
        Self { native, duplicate_window: None, mirror: None, sources: Vec::new(), on_difference: OnDifference::Refuse }
    }

    /// What happens when the stream is there and differs. Default: an error that names each field.
    pub const fn with_on_difference(mut self, on_difference: OnDifference) -> Self {
        self.on_difference = on_difference;
        self
    }

    /// A text for operators.
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.native.description = Some(description.into());
        self
    }

    /// A key and a value for operators; called again, adds another one.
    pub fn with_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.native.metadata.insert(key.into(), value.into());
        self
    }

    /// When the stream lets go of a message.
    pub fn with_retention(mut self, retention: Retention) -> Self {
        self.native.retention = match retention {
            Retention::Limits => native::RetentionPolicy::Limits,
            Retention::Interest => native::RetentionPolicy::Interest,
            Retention::WorkQueue => native::RetentionPolicy::WorkQueue,
        };
        self
    }

    /// Where the stream is kept.
    pub fn with_storage(mut self, storage: Storage) -> Self {
        self.native.storage = match storage {
            Storage::File => native::StorageType::File,
            Storage::Memory => native::StorageType::Memory,
        };
        self
    }

    /// On how many servers of a cluster: 1 to 5.
    pub fn with_replicas(mut self, replicas: usize) -> Self {
        self.native.num_replicas = replicas;
        self
    }

    /// Where the server puts the stream.
    pub fn with_placement(mut self, placement: Placement) -> Self {
        self.native.placement = Some(native::Placement { cluster: placement.cluster, tags: placement.tags });
        self
    }

    /// How a stream on disk is compressed.
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.native.compression = Some(match compression {
            Compression::None => native::Compression::None,
            Compression::S2 => native::Compression::S2,
        });
        self
    }

    /// What the stream does when it is full.
    pub fn with_discard(mut self, discard: Discard) -> Self {
        self.native.discard = match discard {
            Discard::Old => native::DiscardPolicy::Old,
            Discard::New | Discard::NewPerSubject => native::DiscardPolicy::New,
        };
        self.native.discard_new_per_subject = discard == Discard::NewPerSubject;
        self
    }

    /// The most messages it holds; at least 1.
    pub fn with_max_messages(mut self, messages: u64) -> Self {
        self.native.max_messages = signed(messages);
        self
    }

    /// The most messages of one subject it holds; at least 1.
    pub fn with_max_messages_per_subject(mut self, messages: u64) -> Self {
        self.native.max_messages_per_subject = signed(messages);
        self
    }

    /// The most bytes of subjects, headers and payloads it holds; at least 1.
    pub fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.native.max_bytes = signed(bytes);
        self
    }

    /// The most bytes one message may have; a larger one is [`ErrorKind::TooLarge`].
    pub fn with_max_message_bytes(mut self, bytes: u32) -> Self {
        self.native.max_message_size = i32::try_from(bytes).unwrap_or(i32::MAX);
        self
    }

    /// How many consumers it has at most; at least 1.
    pub fn with_max_consumers(mut self, consumers: u32) -> Self {
        self.native.max_consumers = i32::try_from(consumers).unwrap_or(i32::MAX);
        self
    }

    /// How long it holds a message; at least 100 ms.
    pub fn with_max_age(mut self, age: Duration) -> Self {
        self.native.max_age = age;
        self
    }

    /// How long a message's `X-Message-ID` is remembered; at least 100 ms, at most the maximum age.
    pub fn with_duplicate_window(mut self, window: Duration) -> Self {
        self.duplicate_window = Some(window);
        self
    }

    /// The number of its first message. Default: 1.
    pub fn with_first_sequence(mut self, sequence: u64) -> Self {
        self.native.first_sequence = Some(sequence);
        self
    }

    /// Refuses to delete single messages.
    pub fn with_deny_delete(mut self) -> Self {
        self.native.deny_delete = true;
        self
    }

    /// Refuses to purge.
    pub fn with_deny_purge(mut self) -> Self {
        self.native.deny_purge = true;
        self
    }

    /// A message may replace all before it: those with the header `Nats-Rollup`.
    pub fn with_rollup(mut self) -> Self {
        self.native.allow_rollup = true;
        self
    }

    /// Single messages may be read from any replica, not only from the leader.
    pub fn with_direct_get(mut self) -> Self {
        self.native.allow_direct = true;
        self
    }

    /// As [`with_direct_get`](Self::with_direct_get), from a mirror of a stream elsewhere. A mirror of a stream in the same account
    /// does as that stream does.
    pub fn with_mirror_direct_get(mut self) -> Self {
        self.native.mirror_direct = true;
        self
    }

    /// Takes all its messages from another stream and nothing else.
    pub fn with_mirror(mut self, mirror: Source) -> Self {
        self.mirror = Some(mirror);
        self
    }

    /// Takes in the messages of another stream, too; called again, of one more.
    pub fn with_source(mut self, source: Source) -> Self {
        self.sources.push(source);
        self
    }

    /// Renames subjects on their way in.
    pub fn with_subject_transform(mut self, transform: Transform) -> Self {
        let Transform { source, destination } = transform;
        self.native.subject_transform = Some(native::SubjectTransform { source, destination });
        self
    }

    /// Publishes what was stored again, over core NATS.
    pub fn with_republish(mut self, republish: Republish) -> Self {
        let Republish { source, destination, headers_only } = republish;
        self.native.republish = Some(native::Republish { source, destination, headers_only });
        self
    }

    /// Limits what consumers may ask for: how long one stays unused, and how many messages it may leave unsettled.
    pub fn with_consumer_limits(mut self, inactive_threshold: Duration, max_ack_pending: u64) -> Self {
        let max_ack_pending = signed(max_ack_pending);
        self.native.consumer_limits = Some(native::ConsumerLimits { inactive_threshold, max_ack_pending });
        self
    }

    /// Messages may have a time to live of their own; see [`PublishOptions`](crate::PublishOptions).
    pub fn with_message_ttl(mut self) -> Self {
        self.native.allow_message_ttl = true;
        self
    }

    /// Leaves a marker when the last message of a subject has aged, which lives this long; at least 1 s. Turns message TTLs and
    /// rollups on, as the server does.
    pub fn with_delete_marker_ttl(mut self, ttl: Duration) -> Self {
        self.native.subject_delete_marker_ttl = Some(ttl);
        self.native.allow_rollup = true;
        self.with_message_ttl()
    }

    /// Batches may be published that are stored whole or not at all; see [`StreamBus::publish_atomic`](crate::StreamBus::publish_atomic).
    pub fn with_atomic_publish(mut self) -> Self {
        self.native.allow_atomic_publish = true;
        self
    }

    /// Batches may be published fast, with one confirmation for many messages. For other clients; needs a server of release 2.14
    /// or newer.
    pub fn with_batch_publish(mut self) -> Self {
        self.native.allow_batch_publish = true;
        self
    }

    /// Messages may be published for later; see [`PublishOptions`](crate::PublishOptions). Turns message TTLs and rollups on.
    pub fn with_schedules(mut self) -> Self {
        self.native.allow_message_schedules = true;
        self.native.allow_rollup = true;
        self.with_message_ttl()
    }

    /// The stream counts: payloads are increments (ADR-49).
    pub fn with_counters(mut self) -> Self {
        self.native.allow_message_counter = true;
        self
    }

    /// The server confirms before it has written to disk.
    ///
    /// Faster, and a receipt is then worth less: what is [`Stored`](crate::Stored) can be lost when the machine stops.
    pub fn with_async_persistence(mut self) -> Self {
        self.native.persist_mode = Some(native::PersistenceMode::Async);
        self
    }

    /// The server confirms nothing: publishing through a stream of this kind times out. For what other clients publish.
    pub fn with_no_ack(mut self) -> Self {
        self.native.no_ack = true;
        self
    }

    /// Nothing can be changed or added any more. A stream can be sealed later, never opened again.
    pub fn with_sealed(mut self) -> Self {
        self.native.sealed = true;
        self
    }

    /// The stream's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.native.name
    }

    /// What the server is asked for, and the filters of what the stream takes.
    pub(crate) fn check(&self) -> Result<(native::Config, Vec<SubjectFilter>)> {
        let name = &self.native.name;
        let invalid = |what: &str| Err(Error::new(ErrorKind::InvalidInput, format!("stream `{name}`: {what}")));
        check_name("stream", name)?;
        let mut native = self.native.clone();
        let gathers = self.mirror.is_some() || !self.sources.is_empty();
        if native.subjects.is_empty() && !gathers {
            return invalid("it takes no subjects");
        }
        let limits = [native.max_messages, native.max_messages_per_subject, native.max_bytes];
        let small = [native.max_message_size, native.max_consumers];
        if limits.contains(&0) || small.contains(&0) {
            return invalid("a limit of 0 would hold nothing; leave the limit out for none");
        }
        let subjects: Vec<_> =
            native.subjects.iter().map(|filter| SubjectFilter::new(filter)).collect::<Result<_>>()?;
        for (index, one) in subjects.iter().enumerate() {
            if let Some(other) = subjects.iter().skip(index + 1).find(|other| one.overlaps(other)) {
                return invalid(&format!("the subjects `{one}` and `{other}` overlap"));
            }
        }
        native.mirror = self.mirror.as_ref().map(Source::native).transpose()?;
        let sources: Vec<_> = self.sources.iter().map(Source::native).collect::<Result<_>>()?;
        native.sources = (!sources.is_empty()).then_some(sources);
        // A mirror does not deduplicate; every other stream does, and must not remember longer than it holds.
        native.duplicate_window = match self.duplicate_window {
            Some(window) => window,
            None if native.mirror.is_some() => Duration::ZERO,
            None if native.max_age.is_zero() => MINUTES_2,
            None => MINUTES_2.min(native.max_age),
        };
        Ok((native, subjects))
    }
}
