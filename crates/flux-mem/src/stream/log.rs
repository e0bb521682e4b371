//! The messages of a stream, by their place in it.

use std::collections::{HashMap, VecDeque};
use std::time::SystemTime;

use bytes::Bytes;
use flux_core::{Message, Subject};
use tokio::time::Instant;

use crate::hash::TokenHash;

/// A message and when it came.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) message: Message<Bytes>,
    pub(super) stored: Instant,
    pub(super) time: SystemTime,
    pub(super) size: u64,
    /// Consumers that have still to settle it, where retention goes by that.
    pub(super) interest: u32,
}

/// The messages, and how many and how large they are.
#[derive(Debug)]
pub(super) struct Log {
    /// The message at place `first + index`; removed ones leave a gap until all before them are gone.
    entries: VecDeque<Option<Entry>>,
    first: u64,
    messages: u64,
    bytes: u64,
    /// The places of each subject's messages, kept only for a stream that limits them.
    by_subject: Option<HashMap<Subject, VecDeque<u64>, TokenHash>>,
}

impl Log {
    pub(super) fn new(by_subject: bool) -> Self {
        Self {
            entries: VecDeque::new(),
            first: 1,
            messages: 0,
            bytes: 0,
            by_subject: by_subject.then(HashMap::default),
        }
    }

    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn first_sequence(&self) -> u64 {
        self.first
    }

    pub(super) fn last_sequence(&self) -> u64 {
        self.next_sequence() - 1
    }

    pub(super) fn next_sequence(&self) -> u64 {
        self.first + u64::try_from(self.entries.len()).unwrap_or(u64::MAX)
    }

    /// What a message counts against a limit on bytes.
    pub(super) fn size(message: &Message<Bytes>) -> u64 {
        let bytes = message.subject.as_bytes().len() + message.headers.bytes() + message.payload.len();
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    pub(super) fn push(&mut self, entry: Entry) -> u64 {
        let sequence = self.next_sequence();
        self.messages += 1;
        self.bytes += entry.size;
        if let Some(by_subject) = &mut self.by_subject {
            by_subject.entry(entry.message.subject.clone()).or_default().push_back(sequence);
        }
        self.entries.push_back(Some(entry));
        sequence
    }

    /// Counts a place that no message is kept at.
    pub(super) fn skip(&mut self) -> u64 {
        let sequence = self.next_sequence();
        self.entries.push_back(None);
        self.close_gap();
        sequence
    }

    pub(super) fn get(&self, sequence: u64) -> Option<&Entry> {
        self.entries.get(self.index(sequence)?)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, sequence: u64) -> Option<&mut Entry> {
        let index = self.index(sequence)?;
        self.entries.get_mut(index)?.as_mut()
    }

    pub(super) fn remove(&mut self, sequence: u64) -> Option<Entry> {
        let index = self.index(sequence)?;
        let entry = self.entries.get_mut(index)?.take()?;
        self.messages -= 1;
        self.bytes -= entry.size;
        if let Some(by_subject) = &mut self.by_subject
            && let Some(places) = by_subject.get_mut(&entry.message.subject)
        {
            places.retain(|place| *place != sequence);
            if places.is_empty() {
                by_subject.remove(&entry.message.subject);
            }
        }
        self.close_gap();
        Some(entry)
    }

    /// The oldest message.
    pub(super) fn oldest(&self) -> Option<(u64, &Entry)> {
        self.iter().next()
    }

    /// The oldest message of a subject that has more than `most`.
    pub(super) fn oldest_beyond(&self, subject: &Subject, most: u64) -> Option<u64> {
        let places = self.by_subject.as_ref()?.get(subject)?;
        let count = u64::try_from(places.len()).unwrap_or(u64::MAX);
        (count > most).then(|| places.front().copied()).flatten()
    }

    /// The messages with their places, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &Entry)> {
        let place = |index: usize| self.first + u64::try_from(index).unwrap_or(u64::MAX);
        self.entries.iter().enumerate().filter_map(move |(index, entry)| Some((place(index), entry.as_ref()?)))
    }

    fn index(&self, sequence: u64) -> Option<usize> {
        usize::try_from(sequence.checked_sub(self.first)?).ok()
    }

    fn close_gap(&mut self) {
        while let Some(None) = self.entries.front() {
            self.entries.pop_front();
            self.first += 1;
        }
    }
}
