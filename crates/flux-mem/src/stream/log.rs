//! The messages of a stream, by their place in it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use bytes::Bytes;
use flux_core::{Message, Subject};
use tokio::time::Instant;

use crate::hash::TokenHash;

/// Places that share a block.
const BLOCK: u64 = 64;
/// A block's places, as its deque counts them.
const ROOM: usize = 64;

/// A message and when it came.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) sequence: u64,
    pub(super) message: Message<Bytes>,
    pub(super) stored: Instant,
    pub(super) size: u64,
}

/// The messages, and how many and how large they are. Takes room for what it holds, whatever was removed in between.
#[derive(Debug)]
pub(super) struct Log {
    /// Blocks that hold something, by their place among all blocks.
    blocks: BTreeMap<u64, Block>,
    next: u64,
    messages: u64,
    bytes: u64,
    /// The places of each subject's messages, kept only for a stream that limits them.
    by_subject: Option<HashMap<Subject, BTreeSet<u64>, TokenHash>>,
    /// The room of a block that is gone, for the next one.
    spare: VecDeque<Entry>,
}

/// The messages of 64 places, without gaps.
#[derive(Debug)]
struct Block {
    /// A bit for each place that holds a message.
    held: u64,
    entries: VecDeque<Entry>,
}

impl Log {
    pub(super) fn new(by_subject: bool) -> Self {
        Self {
            blocks: BTreeMap::new(),
            next: 1,
            messages: 0,
            bytes: 0,
            by_subject: by_subject.then(HashMap::default),
            spare: VecDeque::new(),
        }
    }

    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn first_sequence(&self) -> u64 {
        self.oldest().map_or(self.next, |entry| entry.sequence)
    }

    pub(super) fn next_sequence(&self) -> u64 {
        self.next
    }

    pub(super) fn push(&mut self, message: Message<Bytes>, size: u64, stored: Instant) -> u64 {
        let sequence = self.skip();
        self.messages += 1;
        self.bytes += size;
        if let Some(by_subject) = &mut self.by_subject {
            by_subject.entry(message.subject.clone()).or_default().insert(sequence);
        }
        let entry = Entry { sequence, message, stored, size };
        match self.blocks.last_entry() {
            Some(mut last) if *last.key() == sequence / BLOCK => last.get_mut().push(entry),
            last => {
                if let Some(mut last) = last {
                    last.get_mut().shrink(2);
                }
                let mut block = Block { held: 0, entries: std::mem::take(&mut self.spare) };
                block.entries.reserve_exact(ROOM);
                block.push(entry);
                self.blocks.insert(sequence / BLOCK, block);
            }
        }
        sequence
    }

    /// Counts a place that no message is kept at.
    pub(super) fn skip(&mut self) -> u64 {
        let sequence = self.next;
        self.next += 1;
        sequence
    }

    pub(super) fn get(&self, sequence: u64) -> Option<&Entry> {
        let block = self.blocks.get(&(sequence / BLOCK))?;
        block.entries.get(block.index(sequence)?)
    }

    pub(super) fn remove(&mut self, sequence: u64) -> Option<Entry> {
        let block = self.blocks.get_mut(&(sequence / BLOCK))?;
        let entry = match block.index(sequence)? {
            0 => block.entries.pop_front()?,
            index => block.entries.remove(index)?,
        };
        block.held &= !bit(sequence);
        if block.held > 0 {
            block.shrink(4);
        } else if let Some(block) = self.blocks.remove(&(sequence / BLOCK)) {
            self.spare = block.entries;
        }
        self.messages -= 1;
        self.bytes -= entry.size;
        if let Some(by_subject) = &mut self.by_subject
            && let Some(places) = by_subject.get_mut(&entry.message.subject)
        {
            places.remove(&sequence);
            if places.is_empty() {
                by_subject.remove(&entry.message.subject);
            }
        }
        Some(entry)
    }

    /// The oldest message.
    pub(super) fn oldest(&self) -> Option<&Entry> {
        self.blocks.first_key_value()?.1.entries.front()
    }

    /// The oldest message of a subject that has `most` or more, on a stream that limits them.
    pub(super) fn oldest_of_full(&self, subject: &Subject, most: u64) -> Option<&Entry> {
        let places = self.by_subject.as_ref()?.get(subject)?;
        let full = u64::try_from(places.len()).unwrap_or(u64::MAX) >= most;
        self.get(*places.first().filter(|_| full)?)
    }

    /// The messages, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.blocks.values().flat_map(|block| &block.entries)
    }

    /// The messages from this place on, oldest first.
    pub(super) fn from(&self, sequence: u64) -> impl Iterator<Item = &Entry> {
        let first = sequence / BLOCK;
        let before = self.blocks.get(&first).map_or(0, |block| block.rank(sequence));
        self.blocks.range(first..).flat_map(|(_, block)| &block.entries).skip(before)
    }
}

impl Block {
    fn push(&mut self, entry: Entry) {
        self.held |= bit(entry.sequence);
        self.entries.push_back(entry);
    }

    /// How many of its messages are at earlier places.
    fn rank(&self, sequence: u64) -> usize {
        usize::try_from((self.held & (bit(sequence) - 1)).count_ones()).unwrap_or_default()
    }

    fn index(&self, sequence: u64) -> Option<usize> {
        (self.held & bit(sequence) != 0).then(|| self.rank(sequence))
    }

    /// Gives room back when there is this many times what it needs.
    fn shrink(&mut self, times: usize) {
        if self.entries.len() * times <= self.entries.capacity() {
            self.entries.shrink_to_fit();
        }
    }
}

/// A place's bit in its block.
fn bit(sequence: u64) -> u64 {
    1 << (sequence % BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(log: &mut Log) -> u64 {
        log.push(Message::to(flux_core::subject!("a"), Bytes::new()), 1, Instant::now())
    }

    /// Messages there is room for.
    fn room(log: &Log) -> usize {
        log.spare.capacity() + log.blocks.values().map(|block| block.entries.capacity()).sum::<usize>()
    }

    #[test]
    fn an_old_message_does_not_hold_the_room_of_those_after_it() {
        let mut log = Log::new(false);
        let old = push(&mut log);
        for _ in 0..100_000 {
            let sequence = push(&mut log);
            log.remove(sequence);
        }
        assert!(room(&log) <= 3 * ROOM, "{}", room(&log));
        assert_eq!((log.get(old).map(|entry| entry.sequence), log.first_sequence()), (Some(1), 1));
        log.remove(old);
        assert_eq!((log.first_sequence(), log.next_sequence()), (100_002, 100_002));
    }

    #[test]
    fn scattered_messages_take_the_room_of_few() {
        for every in [2, 3, 10, 63, 64, 65, 1_000] {
            let mut log = Log::new(false);
            for number in 0..50_000_u64 {
                let sequence = if number % 7 == 0 { log.skip() } else { push(&mut log) };
                if sequence % every != 0 {
                    log.remove(sequence);
                }
            }
            let held = usize::try_from(log.messages()).unwrap_or_default();
            assert!(room(&log) <= 4 * held + 2 * ROOM, "{} for {held}", room(&log));
            let places: Vec<_> = log.iter().map(|entry| entry.sequence).collect();
            assert!(places.iter().all(|place| place % every == 0 && log.get(*place).is_some()));
            for place in [0, 1, 64, 127, 128, 4_711] {
                let expected = places.iter().find(|found| **found >= place).copied();
                assert_eq!(log.from(place).next().map(|entry| entry.sequence), expected);
            }
        }
    }
}
