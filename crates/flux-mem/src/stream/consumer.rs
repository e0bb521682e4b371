//! One consumer's place in a stream: what it has still to deliver, and what it waits for.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::task::Waker;
use std::time::Duration;

use flux_core::{Subject, SubjectFilter};
use tokio::time::Instant;

use super::after::After;
use super::config::ConsumerConfig;
use super::deadlines::{Deadlines, later};
use super::log::{Entry, Log};
use crate::hash::TokenHash;

/// The state of one consumer.
#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) name: String,
    pub(super) config: ConsumerConfig,
    /// Empty: it takes everything.
    pub(super) filters: Vec<SubjectFilter>,
    /// Where it began: what came before was never its business.
    pub(super) start: u64,
    /// Messages before this place were delivered, or are none of this consumer's. Never beyond the stream's next place.
    cursor: u64,
    /// Places before the cursor that are to be delivered first: the newest of each subject.
    ahead: BTreeSet<u64>,
    /// Messages that wait for their first delivery.
    pub(super) pending: u64,
    in_flight: HashMap<u64, InFlight, TokenHash>,
    deadlines: Deadlines,
    /// Deliveries that ran out or were asked for again, to be repeated now. May name ones that are settled.
    due: VecDeque<u64>,
    pub(super) delivered: u64,
    pub(super) redelivered: u64,
    pub(super) given_up: u64,
    /// The subscriptions that wait for a delivery.
    waiting: Vec<(u64, Waker)>,
    next_subscription: u64,
    /// Handles of an ephemeral consumer.
    pub(super) handles: usize,
    /// Subscriptions and fetches that are there now.
    pub(super) subscriptions: usize,
}

/// A message that was delivered and is not settled.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) deliveries: u64,
    /// `None`: beyond what a clock can tell, or it is due.
    pub(super) runs_out: Option<Instant>,
    /// Whether it stands in `due` and waits for its next delivery.
    pub(super) is_due: bool,
}

impl Consumer {
    /// A consumer that delivers the messages at `ahead` first, and then what it takes from `cursor` on; so far these are
    /// `pending` messages.
    pub(super) fn new(
        config: ConsumerConfig,
        filters: Vec<SubjectFilter>,
        cursor: u64,
        ahead: BTreeSet<u64>,
        pending: u64,
    ) -> Self {
        Self {
            name: config.durable.clone().unwrap_or_default(),
            config,
            filters,
            start: ahead.first().map_or(cursor, |first| cursor.min(*first)),
            cursor,
            ahead,
            pending,
            in_flight: HashMap::default(),
            deadlines: Deadlines::default(),
            due: VecDeque::new(),
            delivered: 0,
            redelivered: 0,
            given_up: 0,
            waiting: Vec::new(),
            next_subscription: 0,
            handles: 0,
            subscriptions: 0,
        }
    }

    pub(super) fn takes(&self, subject: &Subject) -> bool {
        takes(&self.filters, subject)
    }

    /// Whether it has still to settle the message at this place, which it takes.
    pub(super) fn needs(&self, sequence: u64) -> bool {
        sequence >= self.cursor || self.in_flight.contains_key(&sequence) || self.ahead.contains(&sequence)
    }

    /// Counts a message that it takes and has not delivered.
    pub(super) fn expect(&mut self, after: &mut After) {
        self.pending += 1;
        self.wake(after);
    }

    pub(super) fn ack_pending(&self) -> usize {
        self.in_flight.len()
    }

    pub(super) fn unsettled(&self) -> u64 {
        self.pending + u64::try_from(self.in_flight.len()).unwrap_or_default()
    }

    /// When the oldest message that it has still to settle was stored.
    pub(super) fn oldest(&self, log: &Log) -> Option<Instant> {
        let waiting =
            (self.pending > 0).then(|| log.from(self.cursor).find(|entry| self.takes(&entry.message.subject)));
        let earlier = self.in_flight.keys().chain(self.ahead.first()).filter_map(|sequence| log.get(*sequence));
        earlier.chain(waiting.flatten()).map(|entry| entry.stored).min()
    }

    /// Forgets a message that it takes and that the stream let go of.
    pub(super) fn forget(&mut self, sequence: u64, after: &mut After) {
        if self.in_flight.remove(&sequence).is_some() {
            self.wake(after);
        } else if sequence >= self.cursor || self.ahead.remove(&sequence) {
            self.pending -= 1;
        }
        after.settled = true;
    }

    /// What to deliver at this time, if anything, and how often it has been delivered then. What ran out after `cutoff` waits
    /// for another call.
    pub(super) fn next<'l>(
        &mut self,
        log: &'l Log,
        now: Instant,
        cutoff: Instant,
        after: &mut After,
    ) -> Option<(&'l Entry, u64)> {
        self.collect_due(cutoff, after);
        while let Some(sequence) = self.due.pop_front() {
            let Some(flight) = self.in_flight.get_mut(&sequence) else { continue };
            let Some(entry) = log.get(sequence) else { continue };
            flight.deliveries += 1;
            flight.is_due = false;
            let deliveries = flight.deliveries;
            self.redelivered += 1;
            self.await_settlement(sequence, deliveries, now);
            return Some((entry, deliveries));
        }
        if self.in_flight.len() >= self.config.max_ack_pending {
            return None;
        }
        let entry = self.advance(log)?;
        self.pending -= 1;
        self.in_flight.insert(entry.sequence, InFlight { deliveries: 1, runs_out: None, is_due: false });
        self.await_settlement(entry.sequence, 1, now);
        Some((entry, 1))
    }

    /// When something will be due without anybody's doing.
    pub(super) fn next_deadline(&mut self) -> Option<Instant> {
        self.deadlines.next(&self.in_flight)
    }

    /// Done with a message for good, if it was in flight.
    pub(super) fn settle(&mut self, sequence: u64, after: &mut After) {
        if self.in_flight.remove(&sequence).is_some() && self.in_flight.len() + 1 >= self.config.max_ack_pending {
            self.wake(after);
        }
        after.settled = true;
    }

    /// Asks for a message again.
    pub(super) fn again(&mut self, sequence: u64, delay: Duration, now: Instant, after: &mut After) {
        let Some(flight) = self.in_flight.get_mut(&sequence).filter(|flight| !flight.is_due) else { return };
        flight.runs_out = later(now, delay);
        if delay.is_zero() {
            self.repeat(sequence, after);
        } else if let Some(time) = flight.runs_out {
            self.deadlines.insert(time, sequence, &self.in_flight);
        }
        self.wake(after);
    }

    /// Starts the time to settle anew, unless it is over.
    pub(super) fn extend(&mut self, sequence: u64, now: Instant, after: &mut After) {
        self.collect_due(now, after);
        if let Some(flight) = self.in_flight.get(&sequence).filter(|flight| !flight.is_due) {
            self.await_settlement(sequence, flight.deliveries, now);
        }
    }

    /// Moves what has run out to what is due, or gives it up.
    pub(super) fn collect_due(&mut self, now: Instant, after: &mut After) {
        while let Some(sequence) = self.deadlines.pop(now, &self.in_flight) {
            self.repeat(sequence, after);
        }
    }

    /// Adds a subscription: its number.
    pub(super) fn subscribe(&mut self) -> u64 {
        self.subscriptions += 1;
        self.next_subscription += 1;
        self.next_subscription
    }

    /// Ends a subscription. Its waker is to be dropped without a lock held.
    pub(super) fn unsubscribe(&mut self, subscription: u64) -> Option<Waker> {
        self.subscriptions -= 1;
        let index = self.waiting.iter().position(|(known, _)| *known == subscription)?;
        Some(self.waiting.swap_remove(index).1)
    }

    /// Leaves a waker where the next change finds it: the one that is not needed, to be dropped without a lock held.
    pub(super) fn wait(&mut self, subscription: u64, waker: Waker) -> Option<Waker> {
        if let Some((_, known)) = self.waiting.iter_mut().find(|(known, _)| *known == subscription) {
            return Some(std::mem::replace(known, waker));
        }
        self.waiting.push((subscription, waker));
        None
    }

    pub(super) fn wake(&mut self, after: &mut After) {
        self.waiting.drain(..).for_each(|(_, waker)| after.wakes.push(waker));
    }

    /// Delivers a message again, or gives it up.
    fn repeat(&mut self, sequence: u64, after: &mut After) {
        let Some(flight) = self.in_flight.get_mut(&sequence) else { return };
        if self.config.max_deliver.is_some_and(|most| flight.deliveries >= most) {
            self.in_flight.remove(&sequence);
            self.given_up += 1;
            after.settled = true;
            self.wake(after);
        } else {
            flight.runs_out = None;
            flight.is_due = true;
            self.due.push_back(sequence);
        }
    }

    fn await_settlement(&mut self, sequence: u64, deliveries: u64, now: Instant) {
        let time = later(now, self.config.wait(deliveries));
        if let Some(flight) = self.in_flight.get_mut(&sequence) {
            flight.runs_out = time;
        }
        match time {
            Some(time) if self.config.backoff.is_empty() => self.deadlines.push(time, sequence, &self.in_flight),
            Some(time) => self.deadlines.insert(time, sequence, &self.in_flight),
            None => {}
        }
    }

    /// The next message that was not delivered yet.
    fn advance<'l>(&mut self, log: &'l Log) -> Option<&'l Entry> {
        if self.pending == 0 {
            return None;
        }
        if let Some(sequence) = self.ahead.pop_first() {
            return log.get(sequence);
        }
        // Mostly it is the very next one, which is found faster than the next one that is left.
        let at_cursor = log.get(self.cursor).filter(|entry| self.takes(&entry.message.subject));
        let found = at_cursor.or_else(|| log.from(self.cursor).find(|entry| self.takes(&entry.message.subject)))?;
        self.cursor = found.sequence + 1;
        Some(found)
    }
}

/// Whether one of these filters matches a subject; no filters match all.
pub(super) fn takes(filters: &[SubjectFilter], subject: &Subject) -> bool {
    filters.is_empty() || filters.iter().any(|filter| filter.matches(subject))
}
