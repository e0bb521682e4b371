//! How a consumer is to be.

use std::time::{Duration, SystemTime};

use async_nats::jetstream::consumer::{self as native, pull};
use flux_core::{Error, ErrorKind, Result, SubjectFilter};

use super::{OnDifference, check_name, native_time, signed};

/// Where a consumer begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliverPolicy {
    /// At the oldest message.
    #[default]
    All,
    /// At the newest message there is.
    Last,
    /// At the newest message of each subject there is.
    LastPerSubject,
    /// At what is published from now on.
    New,
    /// At this place.
    FromSequence(u64),
    /// At the first message stored then or later.
    FromTime(SystemTime),
}

/// How fast messages come that were stored before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayPolicy {
    /// As fast as they are taken.
    #[default]
    Instant,
    /// With the pauses between them that were there when they were published.
    Original,
}

/// When an ack returns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Acks {
    /// When the server has confirmed it, if 100 ms or more have passed since the delivery; the confirmation takes little of that
    /// time. Else when it is in the connection's buffer; what is lost with the connection is delivered again.
    #[default]
    Measured,
    /// When it is in the connection's buffer.
    Sent,
    /// When the server has confirmed it.
    Confirmed,
}

/// Who of several subscribers gets messages.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PriorityGroup {
    /// One of them, until it stops asking for this long; then another one.
    Pinned {
        /// The group's name; 1 to 16 characters.
        name: String,
        /// How long the pinned one may be silent.
        timeout: Duration,
    },
    /// This subscriber takes only what is over: when this many messages wait, or are unsettled. 0 turns a condition off.
    Overflow {
        /// The group's name; 1 to 16 characters.
        name: String,
        /// The least number of messages that wait.
        min_pending: u64,
        /// The least number of messages that others have and have not settled.
        min_ack_pending: u64,
    },
    /// Those with the lowest number get messages first; the others when they do not ask.
    Prioritized {
        /// The group's name; 1 to 16 characters.
        name: String,
        /// This subscriber's number: 0 to 9.
        priority: u8,
    },
}

/// How a consumer is to be.
///
/// Defaults: every message of the stream from the oldest on, an ack wait of 30 s, deliveries without end, at most 1,000
/// messages unsettled at a time, at most 500 taken ahead of the handlers.
#[derive(Debug, Clone)]
#[must_use]
pub struct ConsumerConfig {
    native: pull::Config,
    deliver: DeliverPolicy,
    pause_until: Option<SystemTime>,
    pub(crate) filters: Vec<String>,
    pub(crate) acks: Acks,
    pub(crate) max_prefetch: usize,
    pub(crate) group: Option<PriorityGroup>,
    pub(crate) on_difference: OnDifference,
}

impl ConsumerConfig {
    /// A consumer that stays, with its place in the stream, until it is deleted.
    pub fn durable(name: impl Into<String>) -> Self {
        let mut config = Self::ephemeral();
        config.native.durable_name = Some(name.into());
        config.native.inactive_threshold = Duration::ZERO;
        config
    }

    /// A consumer that is gone with its last handle, or when nobody has used it for five minutes.
    pub fn ephemeral() -> Self {
        let native = pull::Config {
            ack_policy: native::AckPolicy::Explicit,
            ack_wait: Duration::from_secs(30),
            max_deliver: -1,
            max_ack_pending: 1000,
            inactive_threshold: Duration::from_mins(5),
            ..Default::default()
        };
        Self {
            native,
            deliver: DeliverPolicy::default(),
            pause_until: None,
            filters: Vec::new(),
            acks: Acks::default(),
            max_prefetch: 500,
            group: None,
            on_difference: OnDifference::Refuse,
        }
    }

    /// What happens when a durable consumer is there and differs. Default: an error that names each field.
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

    /// Takes only what this filter matches; called again, also what the next one does.
    pub fn with_filter(mut self, filter: impl Into<String>) -> Self {
        self.filters.push(filter.into());
        self
    }

    /// Where the consumer begins.
    pub const fn with_deliver_policy(mut self, policy: DeliverPolicy) -> Self {
        self.deliver = policy;
        self
    }

    /// How fast messages come that were stored before.
    pub fn with_replay_policy(mut self, policy: ReplayPolicy) -> Self {
        self.native.replay_policy = match policy {
            ReplayPolicy::Instant => native::ReplayPolicy::Instant,
            ReplayPolicy::Original => native::ReplayPolicy::Original,
        };
        self
    }

    /// How long a delivery may stay unsettled before it is repeated.
    pub const fn with_ack_wait(mut self, wait: Duration) -> Self {
        self.native.ack_wait = wait;
        self
    }

    /// How often a message is delivered at most; at least 1. After that it stays in the stream, but not for this consumer.
    pub fn with_max_deliver(mut self, times: u64) -> Self {
        self.native.max_deliver = signed(times);
        self
    }

    /// How many deliveries may be unsettled at a time; at least 1.
    pub fn with_max_ack_pending(mut self, messages: u64) -> Self {
        self.native.max_ack_pending = signed(messages);
        self
    }

    /// Takes the place of the ack wait: its first step after the first delivery, and so on; the last step stays.
    pub fn with_backoff(mut self, steps: impl IntoIterator<Item = Duration>) -> Self {
        self.native.backoff = steps.into_iter().collect();
        self
    }

    /// Deliver headers without payloads; the size of the payload is in the header `Nats-Msg-Size`.
    pub const fn with_headers_only(mut self) -> Self {
        self.native.headers_only = true;
        self
    }

    /// After how long without use the server deletes the consumer. Default: 5 min for an ephemeral one, never for a durable one.
    pub const fn with_inactive_threshold(mut self, threshold: Duration) -> Self {
        self.native.inactive_threshold = threshold;
        self
    }

    /// On how many servers of a cluster it is kept. Default: as many as the stream.
    pub const fn with_replicas(mut self, replicas: usize) -> Self {
        self.native.num_replicas = replicas;
        self
    }

    /// Keep the consumer's state in memory even if the stream is on disk.
    pub const fn with_memory_storage(mut self) -> Self {
        self.native.memory_storage = true;
        self
    }

    /// Delivers nothing before this time. Heartbeats come, so a subscription waits. A durable consumer that was paused or resumed by
    /// other means since differs from what is declared.
    pub const fn with_pause_until(mut self, time: SystemTime) -> Self {
        self.pause_until = Some(time);
        self
    }

    /// Who of several subscribers gets messages.
    pub fn with_priority_group(mut self, group: PriorityGroup) -> Self {
        self.group = Some(group);
        self
    }

    /// When an ack returns.
    pub const fn with_acks(mut self, acks: Acks) -> Self {
        self.acks = acks;
        self
    }

    /// How many messages a subscription takes ahead of the handlers at most, when they are fast; 1 takes none ahead.
    ///
    /// How many it takes ahead follows what the handlers settled lately: as much as they do in a tenth of the ack wait, and
    /// not more than in a second. With slow handlers that is none. What waits is kept alive every quarter of the ack wait.
    pub const fn with_max_prefetch(mut self, messages: usize) -> Self {
        self.max_prefetch = messages;
        self
    }

    /// The durable name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.native.durable_name.as_deref()
    }

    /// The same consumer for one more subscription: another name, another filter.
    pub(crate) fn renamed(&self, durable: Option<&str>, filter: &str) -> Self {
        let mut config = self.clone();
        config.native.durable_name = durable.map(str::to_owned);
        if durable.is_some() {
            config.native.inactive_threshold = Duration::ZERO;
        }
        config.filters = vec![filter.to_owned()];
        config
    }

    /// The same consumer, for one that has everything before `next` and had everything before `begin` from the start.
    pub(crate) fn going_on(&self, next: u64, begin: u64) -> Self {
        let newest_only = matches!(self.deliver, DeliverPolicy::Last | DeliverPolicy::LastPerSubject);
        if newest_only && next == begin {
            return self.clone();
        }
        self.clone().with_deliver_policy(DeliverPolicy::FromSequence(next.max(1)))
    }

    /// A consumer that hands messages over in order and takes no settlements.
    pub(crate) fn unsettled(mut self) -> Self {
        self.native.ack_policy = native::AckPolicy::None;
        self.native.ack_wait = Duration::ZERO;
        self.native.max_ack_pending = 0;
        self.native.max_deliver = 1;
        self.native.memory_storage = true;
        self.native.num_replicas = 1;
        self
    }

    /// How long to wait for the settlement of this delivery of a message, counted from 1.
    pub(crate) fn wait(&self, delivery: u64) -> Duration {
        let step = usize::try_from(delivery.saturating_sub(1)).unwrap_or(usize::MAX);
        let backoff = &self.native.backoff;
        backoff.get(step).or(backoff.last()).copied().unwrap_or(self.native.ack_wait)
    }

    /// The shortest time in which a delivery has to be settled; `None` when there is none.
    pub(crate) fn least_wait(&self) -> Option<Duration> {
        let least = self.native.backoff.iter().min().copied().unwrap_or(self.native.ack_wait);
        (self.native.ack_policy != native::AckPolicy::None).then_some(least)
    }

    pub(crate) fn max_deliver(&self) -> Option<u64> {
        u64::try_from(self.native.max_deliver).ok().filter(|times| *times > 0)
    }

    /// What the server is asked for.
    pub(crate) fn check(&self) -> Result<pull::Config> {
        if let Some(name) = self.name() {
            check_name("consumer", name)?;
        }
        let mut native = self.native.clone();
        let takes_acks = native.ack_policy != native::AckPolicy::None;
        let what = if native.max_deliver == 0 || takes_acks && native.max_ack_pending == 0 || self.max_prefetch == 0 {
            "a limit of 0 would deliver nothing"
        } else if takes_acks && self.least_wait().is_none_or(|wait| wait.is_zero()) {
            "an ack wait of 0 leaves no time to settle"
        } else {
            ""
        };
        if !what.is_empty() {
            return Err(self.invalid(what));
        }
        let filters: Vec<_> = self.filters.iter().map(|filter| SubjectFilter::new(filter)).collect::<Result<_>>()?;
        match filters.as_slice() {
            // The server wants a filter where it is to find the last of each subject.
            [] if self.deliver == DeliverPolicy::LastPerSubject => ">".clone_into(&mut native.filter_subject),
            [] => {}
            [one] if one.as_str() == ">" && self.deliver != DeliverPolicy::LastPerSubject => {}
            [one] => one.as_str().clone_into(&mut native.filter_subject),
            _ => native.filter_subjects.clone_from(&self.filters),
        }
        native.deliver_policy = match self.deliver {
            DeliverPolicy::All => native::DeliverPolicy::All,
            DeliverPolicy::Last => native::DeliverPolicy::Last,
            DeliverPolicy::LastPerSubject => native::DeliverPolicy::LastPerSubject,
            DeliverPolicy::New => native::DeliverPolicy::New,
            DeliverPolicy::FromSequence(start_sequence) => native::DeliverPolicy::ByStartSequence { start_sequence },
            DeliverPolicy::FromTime(time) => native::DeliverPolicy::ByStartTime { start_time: native_time(time)? },
        };
        // The server replaces the ack wait by the first step; what is compared must have it already.
        if let Some(first) = native.backoff.first() {
            native.ack_wait = *first;
        }
        native.pause_until = self.pause_until.map(native_time).transpose()?;
        self.add_group(&mut native);
        Ok(native)
    }

    fn add_group(&self, native: &mut pull::Config) {
        let (policy, name) = match &self.group {
            None => return,
            Some(PriorityGroup::Overflow { name, .. }) => (native::PriorityPolicy::Overflow, name),
            Some(PriorityGroup::Prioritized { name, .. }) => (native::PriorityPolicy::Prioritized, name),
            Some(PriorityGroup::Pinned { name, timeout }) => {
                native.priority_timeout = *timeout;
                (native::PriorityPolicy::PinnedClient, name)
            }
        };
        native.priority_policy = policy;
        native.priority_groups = vec![name.clone()];
    }

    pub(crate) fn invalid(&self, what: &str) -> Error {
        let name = self.name().unwrap_or("(ephemeral)");
        Error::new(ErrorKind::InvalidInput, format!("consumer `{name}`: {what}"))
    }
}
