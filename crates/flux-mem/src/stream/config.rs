//! The options of streams and consumers. Names and defaults are JetStream's.

use std::time::{Duration, SystemTime};

use flux_core::{Error, ErrorKind, Result, SubjectFilter};

/// When a stream lets go of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retention {
    /// When a limit says so.
    #[default]
    Limits,
    /// When every consumer that takes it has settled it, at once when there is none; or when a limit says so.
    Interest,
    /// When its one consumer has settled it; or when a limit says so. Two consumers may not take the same messages, and each
    /// begins at the oldest one.
    WorkQueue,
}

/// What a full stream does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Discard {
    /// Lets go of its oldest messages, settled or not.
    #[default]
    Old,
    /// Refuses new ones with [`ErrorKind::Full`].
    New,
}

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
    /// At this place, from 1; at the next message when the stream is not that far.
    FromSequence(u64),
    /// At the first message stored then or later.
    FromTime(SystemTime),
}

impl DeliverPolicy {
    pub(super) fn check(self) -> Result<()> {
        if self == Self::FromSequence(0) {
            return Err(Error::new(ErrorKind::InvalidInput, "a stream's places begin at 1"));
        }
        Ok(())
    }
}

/// How a stream is to be.
///
/// Defaults: no limits, [`Retention::Limits`], [`Discard::Old`], a duplicate window of two minutes, or of the
/// maximum age where that is shorter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct StreamConfig {
    pub(super) name: String,
    pub(super) subjects: Vec<String>,
    pub(super) retention: Retention,
    pub(super) discard: Discard,
    pub(super) max_messages: Option<u64>,
    pub(super) max_messages_per_subject: Option<u64>,
    pub(super) max_bytes: Option<u64>,
    pub(super) max_message_bytes: Option<u64>,
    pub(super) max_age: Option<Duration>,
    pub(super) discard_new_per_subject: bool,
    pub(super) duplicate_window: Option<Duration>,
}

impl StreamConfig {
    /// A stream that takes what these filters match. As on a server, its name has at most 255 bytes, and no blank and none of
    /// `.`, `*`, `>`, `/` and `\` in it.
    pub fn new<I>(name: impl Into<String>, subjects: I) -> Self
    where
        I: IntoIterator<Item: Into<String>>,
    {
        Self {
            name: name.into(),
            subjects: subjects.into_iter().map(Into::into).collect(),
            retention: Retention::default(),
            discard: Discard::default(),
            max_messages: None,
            max_messages_per_subject: None,
            max_bytes: None,
            max_message_bytes: None,
            max_age: None,
            discard_new_per_subject: false,
            duplicate_window: None,
        }
    }

    /// When the stream lets go of a message.
    pub const fn with_retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// What the stream does when it is full.
    pub const fn with_discard(mut self, discard: Discard) -> Self {
        self.discard = discard;
        self
    }

    /// The most messages it holds; at least 1.
    pub const fn with_max_messages(mut self, messages: u64) -> Self {
        self.max_messages = Some(messages);
        self
    }

    /// The most messages of one subject it holds; at least 1. A new one takes the place of the subject's oldest, whatever
    /// [`Discard`] says; see [`with_discard_new_per_subject`](Self::with_discard_new_per_subject).
    pub const fn with_max_messages_per_subject(mut self, messages: u64) -> Self {
        self.max_messages_per_subject = Some(messages);
        self
    }

    /// Refuses new messages of a subject that is full with [`ErrorKind::Full`]. Goes with [`Discard::New`] and a limit per
    /// subject.
    pub const fn with_discard_new_per_subject(mut self) -> Self {
        self.discard_new_per_subject = true;
        self
    }

    /// The most bytes of subjects, headers and payloads it holds; at least 1.
    pub const fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// The most bytes of headers and payload one message may have, as they are on a wire; a larger one is
    /// [`ErrorKind::TooLarge`].
    pub const fn with_max_message_bytes(mut self, bytes: u64) -> Self {
        self.max_message_bytes = Some(bytes);
        self
    }

    /// How long it holds a message.
    pub const fn with_max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// How long a message's `X-Message-ID` is remembered; zero turns deduplication off. Not longer than messages are held.
    pub const fn with_duplicate_window(mut self, window: Duration) -> Self {
        self.duplicate_window = Some(window);
        self
    }

    /// How long ids are remembered.
    pub(super) fn window(&self) -> Duration {
        let usual = Duration::from_mins(2);
        self.duplicate_window.unwrap_or_else(|| self.max_age.map_or(usual, |age| age.min(usual)))
    }

    pub(super) fn check(self) -> Result<(Self, Vec<SubjectFilter>)> {
        let invalid = |what: &str| {
            let message = format!("stream `{}`: {what}", self.name);
            Err(Error::new(ErrorKind::InvalidInput, message))
        };
        if let Some(flaw) = flaw(&self.name) {
            return invalid(flaw);
        }
        if self.subjects.is_empty() {
            return invalid("it takes no subjects");
        }
        let limits = [self.max_messages, self.max_messages_per_subject, self.max_bytes, self.max_message_bytes];
        if limits.contains(&Some(0)) || self.max_age == Some(Duration::ZERO) {
            return invalid("a limit of 0 would hold nothing; leave the limit out for none");
        }
        if self.max_age.is_some_and(|age| self.window() > age) {
            return invalid("the duplicate window is longer than messages are held");
        }
        let per_subject = self.discard == Discard::New && self.max_messages_per_subject.is_some();
        if self.discard_new_per_subject && !per_subject {
            return invalid("to refuse new messages of a full subject takes a limit per subject, and `Discard::New`");
        }
        let subjects: Vec<_> = self.subjects.iter().map(|filter| SubjectFilter::new(filter)).collect::<Result<_>>()?;
        if let Some((one, other)) = overlap(&subjects) {
            return invalid(&format!("the subjects `{one}` and `{other}` overlap"));
        }
        Ok((self, subjects))
    }
}

/// How a consumer is to be.
///
/// Defaults: every message of the stream from the oldest on, an ack wait of 30 s, deliveries without end, at most 1,000
/// messages unsettled at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ConsumerConfig {
    pub(super) durable: Option<String>,
    pub(super) filters: Vec<String>,
    pub(super) deliver: DeliverPolicy,
    pub(super) ack_wait: Duration,
    pub(super) max_deliver: Option<u64>,
    pub(super) max_ack_pending: usize,
    pub(super) backoff: Vec<Duration>,
}

impl ConsumerConfig {
    /// A consumer that stays, with its place in the stream, until it is deleted. For its name the same holds as for a stream's.
    pub fn durable(name: impl Into<String>) -> Self {
        Self { durable: Some(name.into()), ..Self::ephemeral() }
    }

    /// A consumer that is gone with its last handle.
    pub fn ephemeral() -> Self {
        Self {
            durable: None,
            filters: Vec::new(),
            deliver: DeliverPolicy::default(),
            ack_wait: Duration::from_secs(30),
            max_deliver: None,
            max_ack_pending: 1000,
            backoff: Vec::new(),
        }
    }

    /// Takes only what this filter matches; called again, also what the next one does. They may not match the same subjects.
    pub fn with_filter(mut self, filter: impl Into<String>) -> Self {
        self.filters.push(filter.into());
        self
    }

    /// Where the consumer begins.
    pub const fn with_deliver_policy(mut self, policy: DeliverPolicy) -> Self {
        self.deliver = policy;
        self
    }

    /// How long a delivery may stay unsettled before it is repeated. From a hundred years on: for ever.
    pub const fn with_ack_wait(mut self, wait: Duration) -> Self {
        self.ack_wait = wait;
        self
    }

    /// How often a message is delivered at most; at least 1. After that it stays in the stream, but not for this consumer.
    pub const fn with_max_deliver(mut self, times: u64) -> Self {
        self.max_deliver = Some(times);
        self
    }

    /// How many deliveries may be unsettled at a time; at least 1.
    pub const fn with_max_ack_pending(mut self, messages: usize) -> Self {
        self.max_ack_pending = messages;
        self
    }

    /// Takes the place of the ack wait: its first step after the first delivery, and so on; the last step stays. No step is
    /// zero, and there are no more of them than deliveries.
    pub fn with_backoff(mut self, steps: impl IntoIterator<Item = Duration>) -> Self {
        self.backoff = steps.into_iter().collect();
        self
    }

    /// How long to wait for the settlement of this delivery of a message, counted from 1.
    pub(super) fn wait(&self, delivery: u64) -> Duration {
        let step = usize::try_from(delivery.saturating_sub(1)).unwrap_or(usize::MAX);
        self.backoff.get(step).or(self.backoff.last()).copied().unwrap_or(self.ack_wait)
    }

    pub(super) fn check(&self) -> Result<Vec<SubjectFilter>> {
        self.deliver.check()?;
        let too_few = |most| u64::try_from(self.backoff.len()).unwrap_or(u64::MAX) > most;
        let what = if let Some(flaw) = self.durable.as_deref().and_then(flaw) {
            flaw
        } else if self.max_deliver == Some(0) || self.max_ack_pending == 0 {
            "a limit of 0 would deliver nothing"
        } else if self.ack_wait.is_zero() || self.backoff.contains(&Duration::ZERO) {
            "an ack wait of 0 leaves no time to settle"
        } else if self.max_deliver.is_some_and(too_few) {
            "there are more backoff steps than deliveries"
        } else {
            let filters: Vec<_> =
                self.filters.iter().map(|filter| SubjectFilter::new(filter)).collect::<Result<_>>()?;
            return match overlap(&filters) {
                Some((one, other)) => Err(self.invalid(&format!("the filters `{one}` and `{other}` overlap"))),
                None => Ok(filters),
            };
        };
        Err(self.invalid(what))
    }

    pub(super) fn invalid(&self, what: &str) -> Error {
        self.wrong(ErrorKind::InvalidInput, what)
    }

    pub(super) fn wrong(&self, kind: ErrorKind, what: &str) -> Error {
        let name = self.durable.as_deref().unwrap_or("(ephemeral)");
        Error::new(kind, format!("consumer `{name}`: {what}"))
    }

    /// The names of the fields in which the two differ.
    pub(super) fn differences(&self, other: &Self) -> Vec<&'static str> {
        let fields = [
            ("filters", self.filters == other.filters),
            ("deliver_policy", self.deliver == other.deliver),
            ("ack_wait", self.ack_wait == other.ack_wait),
            ("max_deliver", self.max_deliver == other.max_deliver),
            ("max_ack_pending", self.max_ack_pending == other.max_ack_pending),
            ("backoff", self.backoff == other.backoff),
        ];
        fields.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
    }
}

/// What a server would not like about the name of a stream or consumer.
fn flaw(name: &str) -> Option<&'static str> {
    let strange = |letter: char| letter.is_whitespace() || letter.is_control() || ".*>/\\".contains(letter);
    if name.is_empty() {
        Some("the name is empty")
    } else if name.len() > 255 {
        Some("the name is longer than 255 bytes")
    } else {
        name.contains(strange).then_some("the name has a blank or one of `.`, `*`, `>`, `/`, `\\` in it")
    }
}

/// Two of these filters that match a subject in common.
fn overlap(filters: &[SubjectFilter]) -> Option<(&SubjectFilter, &SubjectFilter)> {
    let mut pairs = filters
        .iter()
        .enumerate()
        .flat_map(|(index, one)| filters.iter().skip(index + 1).map(move |other| (one, other)));
    pairs.find(|(one, other)| one.overlaps(other))
}
