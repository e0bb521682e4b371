//! The whole of a stream: its log, its consumers, the ids it remembers. Told the time; never waits.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flux_core::{Error, ErrorKind, Message, Result, SubjectFilter};
use tokio::time::Instant;

use super::after::After;
use super::config::{Discard, Retention, StreamConfig};
use super::consumer::Consumer;
use super::deadlines::later;
use super::log::{Entry, Log};

/// Which consumer. Never given out twice.
pub(super) type ConsumerId = u64;

pub(super) struct State {
    pub(super) config: StreamConfig,
    pub(super) subjects: Vec<SubjectFilter>,
    pub(super) log: Log,
    /// Few, so a list is searched faster than a map.
    pub(super) consumers: Vec<(ConsumerId, Consumer)>,
    pub(super) next_consumer: ConsumerId,
    /// The ids of the duplicate window and the places of their messages.
    ids: HashMap<Arc<str>, u64>,
    ids_by_time: VecDeque<(Instant, Arc<str>)>,
    window: Duration,
    pub(super) closed: bool,
    /// The clocks of tokio and of the system at the same moment, so that both tell the same time.
    started: (Instant, SystemTime),
    pub(super) after: After,
}

/// What becomes of a message that is published and not refused.
enum Verdict {
    Store {
        size: u64,
    },
    /// No consumer takes it, and the stream holds only what one takes.
    Pass,
    Duplicate {
        of: u64,
    },
}

impl State {
    pub(super) fn new(config: StreamConfig, subjects: Vec<SubjectFilter>) -> Self {
        Self {
            log: Log::new(config.max_messages_per_subject.is_some()),
            window: config.window(),
            config,
            subjects,
            consumers: Vec::new(),
            next_consumer: 1,
            ids: HashMap::new(),
            ids_by_time: VecDeque::new(),
            closed: false,
            started: (Instant::now(), SystemTime::now()),
            after: After::new(),
        }
    }

    pub(super) fn consumer(&mut self, id: ConsumerId) -> Option<(&mut Consumer, &Log, &mut After)> {
        let (_, consumer) = self.consumers.iter_mut().find(|(known, _)| *known == id)?;
        Some((consumer, &self.log, &mut self.after))
    }

    /// When a message was stored, by the system's clock.
    pub(super) fn time_of(&self, stored: Instant) -> SystemTime {
        self.started.1 + stored.saturating_duration_since(self.started.0)
    }

    /// Stores a message, or finds that it was stored before: its place, and whether it is a duplicate.
    pub(super) fn store(&mut self, message: Message<Bytes>, now: Instant) -> Result<(u64, bool)> {
        let verdict = match self.judge(&message) {
            Ok(Verdict::Store { size }) => self.make_room(&message, size).map(|()| Verdict::Store { size }),
            other => other,
        };
        let sequence = match verdict {
            Ok(Verdict::Store { size }) => {
                self.remember(message.id(), now);
                return Ok((self.append(message, size, now), false));
            }
            Ok(Verdict::Pass) => {
                self.remember(message.id(), now);
                Ok((self.log.skip(), false))
            }
            Ok(Verdict::Duplicate { of }) => Ok((of, true)),
            Err(error) => Err(error),
        };
        self.after.bury(message.payload);
        sequence
    }

    fn judge(&self, message: &Message<Bytes>) -> Result<Verdict> {
        if self.closed {
            return Err(closed());
        }
        if !self.subjects.iter().any(|filter| filter.matches(&message.subject)) {
            let message = format!("no stream takes it; this one takes {}", self.taken());
            return Err(Error::new(ErrorKind::Rejected, message));
        }
        if let Some(sequence) = message.id().and_then(|id| self.ids.get(id)) {
            return Ok(Verdict::Duplicate { of: *sequence });
        }
        let content = content(message);
        if let Some(most) = self.config.max_message_bytes.filter(|most| content > *most) {
            let message = format!("a message of {content} bytes is over the stream's limit of {most}");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let subject = u64::try_from(message.subject.as_bytes().len()).unwrap_or(u64::MAX);
        let wanted = || self.consumers.iter().any(|(_, consumer)| consumer.takes(&message.subject));
        if self.config.retention == Retention::Interest && !wanted() {
            return Ok(Verdict::Pass);
        }
        Ok(Verdict::Store { size: content.saturating_add(subject) })
    }

    /// The subjects it takes, for people.
    pub(super) fn taken(&self) -> String {
        let taken: Vec<_> = self.subjects.iter().map(SubjectFilter::as_str).collect();
        format!("`{}`", taken.join("`, `"))
    }

    /// Remembers the id of the message that comes next.
    fn remember(&mut self, id: Option<&str>, now: Instant) {
        if let Some(id) = id.filter(|id| !id.is_empty() && !self.window.is_zero()) {
            let id: Arc<str> = id.into();
            self.ids_by_time.push_back((now, Arc::clone(&id)));
            self.ids.insert(id, self.log.next_sequence());
        }
    }

    fn append(&mut self, message: Message<Bytes>, size: u64, now: Instant) -> u64 {
        for (_, consumer) in &mut self.consumers {
            if consumer.takes(&message.subject) {
                consumer.expect(&mut self.after);
            }
        }
        self.log.push(message, size, now)
    }

    /// Makes room for this message, or refuses it.
    fn make_room(&mut self, message: &Message<Bytes>, size: u64) -> Result<()> {
        let StreamConfig { max_messages, max_bytes, discard, .. } = self.config;
        if let Some(most) = max_bytes.filter(|most| size > *most) {
            let message = format!("a message of {size} bytes is over the stream's limit of {most} for all of them");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let full = |what: &str| Err(Error::new(ErrorKind::Full, format!("the {what} is full")));
        let full_subject = self.config.max_messages_per_subject;
        let replaced = full_subject.and_then(|most| self.log.oldest_of_full(&message.subject, most));
        if replaced.is_some() && self.config.discard_new_per_subject {
            return full("subject");
        }
        let (replaced, freed) = replaced.map_or((None, 0), |entry| (Some(entry.sequence), entry.size));
        let over = |log: &Log, messages: u64, bytes: u64| {
            max_messages.is_some_and(|most| log.messages() - messages >= most)
                || max_bytes.is_some_and(|most| log.bytes() - bytes + size > most)
        };
        if discard == Discard::New && over(&self.log, u64::from(replaced.is_some()), freed) {
            return full("stream");
        }
        if let Some(replaced) = replaced {
            self.remove(replaced);
        }
        while over(&self.log, 0, 0)
            && let Some(oldest) = self.log.oldest().map(|entry| entry.sequence)
        {
            self.remove(oldest);
        }
        Ok(())
    }

    /// When the oldest message will be too old.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.config.max_age.and_then(|age| later(self.log.oldest()?.stored, age))
    }

    /// Lets go of what is too old.
    pub(super) fn expire(&mut self, now: Instant) {
        if let Some(age) = self.config.max_age {
            let too_old = |entry: &&Entry| now.saturating_duration_since(entry.stored) >= age;
            while let Some(sequence) = self.log.oldest().filter(too_old).map(|entry| entry.sequence) {
                self.remove(sequence);
            }
        }
        let window = self.window;
        while let Some((_, id)) =
            self.ids_by_time.pop_front_if(|(time, _)| now.saturating_duration_since(*time) >= window)
        {
            self.ids.remove(&id);
        }
    }

    pub(super) fn purge(&mut self, filter: &SubjectFilter) -> u64 {
        let matching = self.log.iter().filter(|entry| filter.matches(&entry.message.subject));
        let purged: Vec<_> = matching.map(|entry| entry.sequence).collect();
        for sequence in &purged {
            self.remove(*sequence);
        }
        u64::try_from(purged.len()).unwrap_or_default()
    }

    fn remove(&mut self, sequence: u64) {
        let Some(Entry { message, .. }) = self.log.remove(sequence) else { return };
        for (_, consumer) in &mut self.consumers {
            if consumer.takes(&message.subject) {
                consumer.forget(sequence, &mut self.after);
            }
        }
        self.after.bury(message.payload);
    }

    /// A consumer is done with a message. As on a server, that counts even when the consumer had given it up.
    pub(super) fn settle(&mut self, id: ConsumerId, sequence: u64) {
        let Some((consumer, _, after)) = self.consumer(id) else { return };
        consumer.settle(sequence, after);
        if self.closed
            && let Some((consumer, _, after)) = self.consumer(id)
        {
            // Its subscriptions may have waited for this one to end.
            consumer.wake(after);
        }
        self.release(sequence);
    }

    /// Lets go of a message that a consumer is done with, unless another one needs it.
    pub(super) fn release(&mut self, sequence: u64) {
        let gone = match self.config.retention {
            Retention::Limits => false,
            Retention::WorkQueue => true,
            Retention::Interest => self.log.get(sequence).is_some_and(|entry| {
                let needs = |consumer: &Consumer| consumer.needs(sequence) && consumer.takes(&entry.message.subject);
                !self.consumers.iter().any(|(_, consumer)| needs(consumer))
            }),
        };
        if gone {
            self.remove(sequence);
        }
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
        for (_, consumer) in &mut self.consumers {
            consumer.wake(&mut self.after);
        }
    }

    /// Whether everything is settled that somebody subscribes to; if not, when to look again at the latest.
    pub(super) fn poll_drained(&mut self, now: Instant) -> Result<(), Option<Instant>> {
        let mut next = None;
        let mut drained = true;
        for (_, consumer) in self.consumers.iter_mut().filter(|(_, consumer)| consumer.subscriptions > 0) {
            consumer.collect_due(now, &mut self.after);
            drained &= consumer.unsettled() == 0;
            next = next.into_iter().chain(consumer.next_deadline()).min();
        }
        if drained { Ok(()) } else { Err(next.into_iter().chain(self.next_expiry()).min()) }
    }
}

/// The bytes of headers and payload, as they are on the wire of a server: `NATS/1.0`, then a line for each header.
fn content(message: &Message<Bytes>) -> u64 {
    let headers = match message.headers.iter().count() {
        0 => 0,
        lines => "NATS/1.0\r\n\r\n".len() + message.headers.bytes() + lines * ": \r\n".len(),
    };
    u64::try_from(headers + message.payload.len()).unwrap_or(u64::MAX)
}

pub(super) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the stream is closed")
}
