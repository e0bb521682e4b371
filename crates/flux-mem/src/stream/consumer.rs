//! One consumer's place in a stream: what it has still to deliver, and what it waits for.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::task::Waker;
use std::time::Duration;

use flux_core::{Subject, SubjectFilter};
use tokio::time::Instant;

use super::config::ConsumerConfig;
use super::log::Log;
use crate::hash::TokenHash;

/// The state of one consumer.
#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) name: String,
    pub(super) config: ConsumerConfig,
    /// Empty: it takes everything.
    filters: Vec<SubjectFilter>,
    /// Messages before this place were delivered, or are none of this consumer's.
    cursor: u64,
    /// Places before the cursor that are to be delivered first: the newest of each subject.
    ahead: VecDeque<u64>,
    /// Messages that wait for their first delivery.
    pending: u64,
    in_flight: HashMap<u64, InFlight, TokenHash>,
    /// When the deliveries run out that wait for the plain ack wait, in that order. May name ones that are settled.
    by_wait: VecDeque<(Instant, u64)>,
    /// When all others run out.
    by_time: BinaryHeap<Reverse<(Instant, u64)>>,
    /// Deliveries that ran out or were asked for again, to be repeated now.
    due: VecDeque<u64>,
    pub(super) delivered: u64,
    pub(super) redelivered: u64,
    pub(super) given_up: u64,
    /// Those who wait for a delivery.
    wakers: Vec<Waker>,
    /// Handles of an ephemeral consumer.
    pub(super) handles: usize,
    /// Subscriptions and fetches that are there now.
    pub(super) subscriptions: usize,
}

/// A message that was delivered and is not settled.
#[derive(Debug)]
struct InFlight {
    deliveries: u64,
    runs_out: Instant,
    /// Whether it stands in `due` and waits for its next delivery.
    is_due: bool,
}

/// What is to be delivered next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Next {
    pub(super) sequence: u64,
    /// How often the message has been delivered, this time included.
    pub(super) deliveries: u64,
}

impl Consumer {
    pub(super) fn new(name: String, config: ConsumerConfig, filters: Vec<SubjectFilter>, cursor: u64) -> Self {
        Self {
            name,
            config,
            filters,
            cursor,
            ahead: VecDeque::new(),
            pending: 0,
            in_flight: HashMap::default(),
            by_wait: VecDeque::new(),
            by_time: BinaryHeap::new(),
            due: VecDeque::new(),
            delivered: 0,
            redelivered: 0,
            given_up: 0,
            wakers: Vec::new(),
            handles: 0,
            subscriptions: 0,
        }
    }

    pub(super) fn takes(&self, subject: &Subject) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| filter.matches(subject))
    }

    pub(super) fn filters(&self) -> &[SubjectFilter] {
        &self.filters
    }

    /// Whether the message at this place, which it takes, is one it has still to settle.
    pub(super) fn expects(&self, sequence: u64) -> bool {
        sequence >= self.cursor || self.in_flight.contains_key(&sequence) || self.ahead.contains(&sequence)
    }

    /// Delivers these first, oldest first.
    pub(super) fn look_back(&mut self, places: Vec<u64>) {
        self.pending += u64::try_from(places.len()).unwrap_or_default();
        self.ahead = places.into();
    }

    /// Counts a message that it takes and has not delivered.
    pub(super) fn expect(&mut self) {
        self.pending += 1;
        self.wake();
    }

    pub(super) fn pending(&self) -> u64 {
        self.pending
    }

    pub(super) fn ack_pending(&self) -> usize {
        self.in_flight.len()
    }

    pub(super) fn unsettled(&self) -> u64 {
        self.pending + u64::try_from(self.in_flight.len()).unwrap_or_default()
    }

    /// Forgets a message that the stream let go of.
    pub(super) fn forget(&mut self, sequence: u64) {
        if self.in_flight.remove(&sequence).is_some() {
            self.wake();
        } else if sequence >= self.cursor {
            self.pending -= 1;
        } else if let Some(index) = self.ahead.iter().position(|place| *place == sequence) {
            self.ahead.remove(index);
            self.pending -= 1;
        }
    }

    /// The next delivery, if there is one at this time.
    pub(super) fn next(&mut self, log: &Log, now: Instant) -> Option<Next> {
        self.collect_due(now);
        while let Some(sequence) = self.due.pop_front() {
            let Some(flight) = self.in_flight.get_mut(&sequence) else { continue };
            flight.deliveries += 1;
            flight.is_due = false;
            let deliveries = flight.deliveries;
            self.redelivered += 1;
            self.await_settlement(sequence, deliveries, now);
            return Some(Next { sequence, deliveries });
        }
        if self.in_flight.len() >= self.config.max_ack_pending {
            return None;
        }
        let sequence = self.advance(log)?;
        self.pending -= 1;
        self.in_flight.insert(sequence, InFlight { deliveries: 1, runs_out: now, is_due: false });
        self.await_settlement(sequence, 1, now);
        Some(Next { sequence, deliveries: 1 })
    }

    /// When something will be due without anybody's doing.
    pub(super) fn next_deadline(&mut self) -> Option<Instant> {
        let live = |in_flight: &HashMap<u64, InFlight, TokenHash>, (time, sequence): (Instant, u64)| {
            in_flight.get(&sequence).is_some_and(|flight| flight.runs_out == time && !flight.is_due)
        };
        while self.by_wait.front().is_some_and(|entry| !live(&self.in_flight, *entry)) {
            self.by_wait.pop_front();
        }
        while self.by_time.peek().is_some_and(|Reverse(entry)| !live(&self.in_flight, *entry)) {
            self.by_time.pop();
        }
        let waits = self.by_wait.front().map(|(time, _)| *time);
        waits.into_iter().chain(self.by_time.peek().map(|Reverse((time, _))| *time)).min()
    }

    /// Done with a message for good; tells whether it was still in flight.
    pub(super) fn settle(&mut self, sequence: u64) -> bool {
        let settled = self.in_flight.remove(&sequence).is_some();
        if settled && self.in_flight.len() + 1 >= self.config.max_ack_pending {
            self.wake();
        }
        settled
    }

    /// Asks for a message again.
    pub(super) fn again(&mut self, sequence: u64, delay: Option<Duration>, now: Instant) {
        let time = now + delay.unwrap_or_default();
        if self.set_deadline(sequence, time) {
            self.by_time.push(Reverse((time, sequence)));
            self.wake();
        }
    }

    /// Starts the time to settle anew.
    pub(super) fn extend(&mut self, sequence: u64, now: Instant) {
        if let Some(deliveries) = self.in_flight.get(&sequence).map(|flight| flight.deliveries) {
            self.await_settlement(sequence, deliveries, now);
        }
    }

    pub(super) fn wait(&mut self, waker: &Waker) {
        if !self.wakers.iter().any(|known| known.will_wake(waker)) {
            self.wakers.push(waker.clone());
        }
    }

    pub(super) fn wake(&mut self) {
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }

    fn set_deadline(&mut self, sequence: u64, time: Instant) -> bool {
        let flight = self.in_flight.get_mut(&sequence).filter(|flight| !flight.is_due);
        flight.map(|flight| flight.runs_out = time).is_some()
    }

    fn await_settlement(&mut self, sequence: u64, deliveries: u64, now: Instant) {
        let time = now + self.config.wait(deliveries);
        self.set_deadline(sequence, time);
        if self.config.backoff.is_empty() {
            self.by_wait.push_back((time, sequence));
        } else {
            self.by_time.push(Reverse((time, sequence)));
        }
    }

    /// Moves what has run out to what is due, or gives it up.
    fn collect_due(&mut self, now: Instant) {
        while let Some(time) = self.next_deadline().filter(|time| *time <= now) {
            let by_wait = self.by_wait.front().is_some_and(|(front, _)| *front == time);
            let entry = if by_wait { self.by_wait.pop_front() } else { self.by_time.pop().map(|Reverse(entry)| entry) };
            let Some((_, sequence)) = entry else { return };
            let Some(flight) = self.in_flight.get_mut(&sequence) else { continue };
            if self.config.max_deliver.is_some_and(|most| flight.deliveries >= most) {
                self.in_flight.remove(&sequence);
                self.given_up += 1;
            } else {
                flight.is_due = true;
                self.due.push_back(sequence);
            }
        }
    }

    /// The next place that was not delivered yet.
    fn advance(&mut self, log: &Log) -> Option<u64> {
        if self.pending == 0 {
            return None;
        }
        if let Some(sequence) = self.ahead.pop_front() {
            return Some(sequence);
        }
        self.cursor = self.cursor.max(log.first_sequence());
        while self.cursor < log.next_sequence() {
            let sequence = self.cursor;
            self.cursor += 1;
            if log.get(sequence).is_some_and(|entry| self.takes(&entry.message.subject)) {
                return Some(sequence);
            }
        }
        None
    }
}
