//! Which consumers a stream has, and where they begin.

use std::collections::{BTreeSet, HashMap};

use flux_core::{ErrorKind, Result, SubjectFilter};

use super::config::{ConsumerConfig, DeliverPolicy, Retention};
use super::consumer::{Consumer, takes};
use super::log::Entry;
use super::state::{ConsumerId, State, closed};

impl State {
    /// The consumer of that name, or a new one.
    pub(super) fn add_consumer(&mut self, config: ConsumerConfig) -> Result<ConsumerId> {
        let filters = config.check()?;
        if self.closed {
            return Err(closed());
        }
        if let Some((id, known)) = config.durable.as_ref().and_then(|name| self.durable(name)) {
            let differences = config.differences(&known.config);
            if differences.is_empty() {
                return Ok(id);
            }
            let what = format!("it is there already, with another {}", differences.join(", "));
            return Err(config.invalid(&what));
        }
        if let Some(filter) = filters.iter().find(|filter| !self.subjects.iter().any(|taken| taken.overlaps(filter))) {
            return Err(config.invalid(&format!("`{filter}` matches nothing the stream takes: {}", self.taken())));
        }
        if self.config.retention == Retention::WorkQueue {
            self.check_work_queue(&config, &filters)?;
        }
        let id = self.next_consumer;
        self.next_consumer += 1;
        let (cursor, ahead) = self.place(config.deliver, &filters);
        let behind = self.log.from(cursor).filter(|entry| takes(&filters, &entry.message.subject)).count();
        let pending = u64::try_from(behind + ahead.len()).unwrap_or(u64::MAX);
        let mut consumer = Consumer::new(config, filters, cursor, ahead, pending);
        if consumer.config.durable.is_none() {
            consumer.name = format!("ephemeral-{id}");
        }
        self.consumers.push((id, consumer));
        Ok(id)
    }

    fn check_work_queue(&self, config: &ConsumerConfig, filters: &[SubjectFilter]) -> Result<()> {
        if config.deliver != DeliverPolicy::All {
            return Err(config.invalid("on a work queue it begins at the oldest message"));
        }
        let overlaps = |other: &Consumer| match (filters, other.filters.as_slice()) {
            ([], _) | (_, []) => true,
            (mine, theirs) => mine.iter().any(|one| theirs.iter().any(|two| one.overlaps(two))),
        };
        match self.consumers.iter().find(|(_, other)| overlaps(other)) {
            Some((_, Consumer { name, .. })) => {
                // Of another kind than what is wrong with the configuration by itself, as the server has it.
                let text = format!("on a work queue it would take the messages of consumer `{name}`");
                Err(config.wrong(ErrorKind::Rejected, &text))
            }
            None => Ok(()),
        }
    }

    fn durable(&self, name: &str) -> Option<(ConsumerId, &Consumer)> {
        let durable = self.consumers.iter().find(|(_, known)| known.config.durable.as_deref() == Some(name));
        durable.map(|(id, consumer)| (*id, consumer))
    }

    /// Where a reader of what these filters match begins: a place, and places before it that it reads first, in order.
    pub(super) fn place(&self, policy: DeliverPolicy, filters: &[SubjectFilter]) -> (u64, BTreeSet<u64>) {
        let next = self.log.next_sequence();
        let taken = || self.log.iter().filter(|entry| takes(filters, &entry.message.subject));
        let or_next = |entry: Option<&Entry>| entry.map_or(next, |entry| entry.sequence);
        let cursor = match policy {
            DeliverPolicy::All => self.log.first_sequence(),
            DeliverPolicy::New | DeliverPolicy::LastPerSubject => next,
            DeliverPolicy::Last => or_next(taken().next_back()),
            DeliverPolicy::FromSequence(sequence) => sequence.clamp(self.log.first_sequence(), next),
            DeliverPolicy::FromTime(time) => or_next(self.log.iter().find(|entry| self.time_of(entry.stored) >= time)),
        };
        let mut ahead = BTreeSet::new();
        if policy == DeliverPolicy::LastPerSubject {
            let newest: HashMap<_, _> = taken().map(|entry| (&entry.message.subject, entry.sequence)).collect();
            ahead.extend(newest.into_values());
        }
        (cursor, ahead)
    }

    pub(super) fn delete_consumer(&mut self, name: &str) -> bool {
        self.durable(name).map(|(id, _)| id).is_some_and(|id| self.remove_consumer(id))
    }

    pub(super) fn remove_consumer(&mut self, id: ConsumerId) -> bool {
        let Some(index) = self.consumers.iter().position(|(known, _)| *known == id) else { return false };
        let (_, mut consumer) = self.consumers.swap_remove(index);
        consumer.wake(&mut self.after);
        self.after.settled = true;
        if self.config.retention == Retention::Interest {
            let its = self.log.from(consumer.start).filter(|entry| consumer.takes(&entry.message.subject));
            let its: Vec<_> = its.map(|entry| entry.sequence).collect();
            for sequence in its {
                self.release(sequence);
            }
        }
        true
    }
}
