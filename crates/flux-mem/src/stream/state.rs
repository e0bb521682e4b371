//! The whole of a stream: its log, its consumers, the ids it remembers. Told the time; never waits.

use std::collections::{HashMap, VecDeque};
use std::time::SystemTime;

use bytes::Bytes;
use flux_core::{Error, ErrorKind, Message, Result, SubjectFilter};
use tokio::time::Instant;

use super::config::{ConsumerConfig, DeliverPolicy, Discard, Retention, StreamConfig};
use super::consumer::Consumer;
use super::log::{Entry, Log};

/// Which consumer. Never given out twice.
pub(super) type ConsumerId = u64;

#[derive(Debug)]
pub(super) struct State {
    config: StreamConfig,
    subjects: Vec<SubjectFilter>,
    pub(super) log: Log,
    /// Few, so a list is searched faster than a map.
    consumers: Vec<(ConsumerId, Consumer)>,
    next_consumer: ConsumerId,
    /// The ids of the duplicate window and the places of their messages.
    ids: HashMap<String, u64>,
    ids_by_time: VecDeque<(Instant, String)>,
    pub(super) closed: bool,
    /// The clocks of tokio and of the system at the same moment, so that both tell the same time.
    started: (Instant, SystemTime),
}

impl State {
    pub(super) fn new(config: StreamConfig, subjects: Vec<SubjectFilter>) -> Self {
        Self {
            log: Log::new(config.max_messages_per_subject.is_some()),
            config,
            subjects,
            consumers: Vec::new(),
            next_consumer: 1,
            ids: HashMap::new(),
            ids_by_time: VecDeque::new(),
            closed: false,
            started: (Instant::now(), SystemTime::now()),
        }
    }

    pub(super) fn consumers(&self) -> impl Iterator<Item = &Consumer> {
        self.consumers.iter().map(|(_, consumer)| consumer)
    }

    pub(super) fn consumer(&mut self, id: ConsumerId) -> Option<(&mut Consumer, &Log)> {
        let (_, consumer) = self.consumers.iter_mut().find(|(known, _)| *known == id)?;
        Some((consumer, &self.log))
    }

    /// Stores a message, or finds that it was stored before: its place, and whether it is a duplicate.
    pub(super) fn store(&mut self, message: Message<Bytes>, now: Instant) -> Result<(u64, bool)> {
        if self.closed {
            return Err(Error::new(ErrorKind::Closed, "the stream is closed"));
        }
        if !self.subjects.iter().any(|filter| filter.matches(&message.subject)) {
            let taken: Vec<_> = self.subjects.iter().map(SubjectFilter::as_str).collect();
            let message = format!("no stream takes it; this one takes `{}`", taken.join("`, `"));
            return Err(Error::new(ErrorKind::Rejected, message));
        }
        let size = Log::size(&message);
        if let Some(most) = self.config.max_message_bytes.filter(|most| size > *most) {
            let message = format!("a message of {size} bytes is over the stream's limit of {most}");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        self.expire(now);
        if let Some(sequence) = message.id().and_then(|id| self.ids.get(id)) {
            return Ok((*sequence, true));
        }
        self.make_room(size)?;
        let id = message.id().filter(|_| !self.config.duplicate_window.is_zero()).map(str::to_owned);
        let sequence = self.append(message, size, now);
        if let Some(id) = id {
            self.ids_by_time.push_back((now, id.clone()));
            self.ids.insert(id, sequence);
        }
        Ok((sequence, false))
    }

    fn append(&mut self, message: Message<Bytes>, size: u64, now: Instant) -> u64 {
        let mut interest = 0;
        for (_, consumer) in &mut self.consumers {
            if consumer.takes(&message.subject) {
                consumer.expect();
                interest += 1;
            }
        }
        if self.config.retention == Retention::Interest && interest == 0 {
            return self.log.skip();
        }
        let subject = self.config.max_messages_per_subject.map(|most| (message.subject.clone(), most));
        let time = self.started.1 + now.saturating_duration_since(self.started.0);
        let sequence = self.log.push(Entry { message, stored: now, time, size, interest });
        if let Some((subject, most)) = subject
            && let Some(oldest) = self.log.oldest_beyond(&subject, most)
        {
            self.remove(oldest);
        }
        sequence
    }

    /// Makes room for one message of this size, or refuses it.
    fn make_room(&mut self, size: u64) -> Result<()> {
        let StreamConfig { max_messages, max_bytes, discard, .. } = self.config;
        if let Some(most) = max_bytes.filter(|most| size > *most) {
            let message = format!("a message of {size} bytes is over the stream's limit of {most} for all of them");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let over = |log: &Log| {
            max_messages.is_some_and(|most| log.messages() >= most)
                || max_bytes.is_some_and(|most| log.bytes() + size > most)
        };
        while over(&self.log) {
            let oldest = self.log.oldest().map(|(sequence, _)| sequence);
            match (discard, oldest) {
                (Discard::Old, Some(oldest)) => self.remove(oldest),
                _ => return Err(Error::new(ErrorKind::Full, "the stream is full")),
            }
        }
        Ok(())
    }

    /// Lets go of what is too old.
    pub(super) fn expire(&mut self, now: Instant) {
        if let Some(age) = self.config.max_age {
            while let Some((sequence, entry)) = self.log.oldest()
                && now.saturating_duration_since(entry.stored) >= age
            {
                self.remove(sequence);
            }
        }
        let window = self.config.duplicate_window;
        while let Some((_, id)) =
            self.ids_by_time.pop_front_if(|(time, _)| now.saturating_duration_since(*time) >= window)
        {
            self.ids.remove(&id);
        }
    }

    pub(super) fn purge(&mut self, filter: &SubjectFilter) -> u64 {
        let purged: Vec<_> = self.matching(filter).collect();
        for sequence in &purged {
            self.remove(*sequence);
        }
        u64::try_from(purged.len()).unwrap_or_default()
    }

    fn matching(&self, filter: &SubjectFilter) -> impl Iterator<Item = u64> {
        self.log.iter().filter(|(_, entry)| filter.matches(&entry.message.subject)).map(|(sequence, _)| sequence)
    }

    fn remove(&mut self, sequence: u64) {
        let Some(entry) = self.log.remove(sequence) else { return };
        for (_, consumer) in &mut self.consumers {
            if consumer.takes(&entry.message.subject) {
                consumer.forget(sequence);
            }
        }
    }

    /// A consumer is done with a message. Tells whether somebody may wait for that because the stream is closing.
    pub(super) fn settle(&mut self, id: ConsumerId, sequence: u64) -> bool {
        let settled = self.consumer(id).is_some_and(|(consumer, _)| consumer.settle(sequence));
        if settled {
            self.lose_interest(sequence);
        }
        if self.closed
            && let Some((consumer, _)) = self.consumer(id)
        {
            consumer.wake();
        }
        self.closed
    }

    fn lose_interest(&mut self, sequence: u64) {
        let gone = match self.config.retention {
            Retention::Limits => false,
            Retention::WorkQueue => true,
            Retention::Interest => self.log.get_mut(sequence).is_some_and(|entry| {
                entry.interest = entry.interest.saturating_sub(1);
                entry.interest == 0
            }),
        };
        if gone {
            self.remove(sequence);
        }
    }

    /// The consumer of that name, or a new one.
    pub(super) fn add_consumer(&mut self, config: ConsumerConfig, now: Instant) -> Result<ConsumerId> {
        let filters = config.check()?;
        if self.closed {
            return Err(Error::new(ErrorKind::Closed, "the stream is closed"));
        }
        if let Some((id, known)) = self.consumers.iter().find(|(_, known)| config.durable.as_ref() == Some(&known.name))
        {
            let differences = config.differences(&known.config);
            if differences.is_empty() {
                return Ok(*id);
            }
            let what = format!("it is there already, with another {}", differences.join(", "));
            return Err(config.invalid(&what));
        }
        if let Some(filter) = filters.iter().find(|filter| !self.subjects.iter().any(|taken| taken.overlaps(filter))) {
            let taken: Vec<_> = self.subjects.iter().map(SubjectFilter::as_str).collect();
            return Err(
                config.invalid(&format!("`{filter}` matches nothing the stream takes: `{}`", taken.join("`, `")))
            );
        }
        let overlaps = |other: &Consumer| match (filters.as_slice(), other.filters()) {
            ([], _) | (_, []) => true,
            (mine, theirs) => mine.iter().any(|one| theirs.iter().any(|two| one.overlaps(two))),
        };
        if self.config.retention == Retention::WorkQueue
            && let Some(other) = self.consumers().find(|other| overlaps(other))
        {
            return Err(
                config.invalid(&format!("on a work queue it would take the messages of consumer `{}`", other.name))
            );
        }
        self.expire(now);
        let id = self.next_consumer;
        self.next_consumer += 1;
        let name = config.durable.clone().unwrap_or_else(|| format!("ephemeral-{id}"));
        let consumer = self.placed(name, config, filters);
        self.consumers.push((id, consumer));
        Ok(id)
    }

    /// A consumer at the place its deliver policy asks for.
    fn placed(&mut self, name: String, config: ConsumerConfig, filters: Vec<SubjectFilter>) -> Consumer {
        let (cursor, ahead) = self.place(config.deliver, &filters);
        let mut expected = ahead.clone();
        let behind = self.log.iter().filter(|(sequence, entry)| *sequence >= cursor && takes(&filters, entry));
        expected.extend(behind.map(|(sequence, _)| sequence));
        let mut consumer = Consumer::new(name, config, filters, cursor);
        expected.iter().skip(ahead.len()).for_each(|_| consumer.expect());
        consumer.look_back(ahead);
        for sequence in expected {
            if let Some(entry) = self.log.get_mut(sequence) {
                entry.interest += 1;
            }
        }
        consumer
    }

    /// Where a reader of what these filters match begins: a place, and places before it that it reads first, in order.
    pub(super) fn place(&self, policy: DeliverPolicy, filters: &[SubjectFilter]) -> (u64, Vec<u64>) {
        let next = self.log.next_sequence();
        let taken = || self.log.iter().filter(|(_, entry)| takes(filters, entry));
        let cursor = match policy {
            DeliverPolicy::All => self.log.first_sequence(),
            DeliverPolicy::New | DeliverPolicy::LastPerSubject => next,
            DeliverPolicy::Last => taken().next_back().map_or(next, |(sequence, _)| sequence),
            DeliverPolicy::FromSequence(sequence) => sequence.max(self.log.first_sequence()),
            DeliverPolicy::FromTime(time) => {
                self.log.iter().find(|(_, entry)| entry.time >= time).map_or(next, |(sequence, _)| sequence)
            }
        };
        let mut ahead = Vec::new();
        if policy == DeliverPolicy::LastPerSubject {
            let newest: HashMap<_, _> = taken().map(|(sequence, entry)| (&entry.message.subject, sequence)).collect();
            ahead.extend(newest.into_values());
            ahead.sort_unstable();
        }
        (cursor, ahead)
    }

    pub(super) fn delete_consumer(&mut self, name: &str) -> bool {
        let id = self.consumers.iter().find(|(_, known)| known.name == name).map(|(id, _)| *id);
        id.is_some_and(|id| self.remove_consumer(id))
    }

    pub(super) fn remove_consumer(&mut self, id: ConsumerId) -> bool {
        let Some(index) = self.consumers.iter().position(|(known, _)| *known == id) else { return false };
        let (_, mut consumer) = self.consumers.swap_remove(index);
        consumer.wake();
        if self.config.retention == Retention::Interest {
            let expected = |(sequence, entry): &(u64, &Entry)| {
                consumer.takes(&entry.message.subject) && consumer.expects(*sequence)
            };
            let expected: Vec<_> = self.log.iter().filter(expected).map(|(sequence, _)| sequence).collect();
            for sequence in expected {
                self.lose_interest(sequence);
            }
        }
        true
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
        for (_, consumer) in &mut self.consumers {
            consumer.wake();
        }
    }

    pub(super) fn is_drained(&self) -> bool {
        self.consumers().all(|consumer| consumer.subscriptions == 0 || consumer.unsettled() == 0)
    }
}

/// Whether one of these filters matches a message; no filters match all.
pub(super) fn takes(filters: &[SubjectFilter], entry: &Entry) -> bool {
    filters.is_empty() || filters.iter().any(|filter| filter.matches(&entry.message.subject))
}
