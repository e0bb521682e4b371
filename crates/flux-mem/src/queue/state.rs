//! What a queue keeps under its lock.

use std::collections::VecDeque;
use std::task::Waker;

use flux_core::{Error, ErrorKind, Subject};

use crate::ring::Ring;
use crate::wakes::Wakes;

/// Notices that wait for one stream; of more than these only the number is kept.
const MAX_NOTICES: usize = 16;

pub(super) struct State<M> {
    pub(super) items: Ring<M>,
    /// At least what the stream holds in its buffer. Read anew only when there seems to be no room, so that publishers
    /// and stream do not pass a cache line to and fro for every item.
    pub(super) held_at_most: usize,
    pub(super) phase: Phase,
    pub(super) members: usize,
    /// How many members there ever were; numbers them.
    pub(super) joined: usize,
    pub(super) accepted: u64,
    pub(super) dropped: u64,
    /// What each member of a group has taken.
    pub(super) taken: Vec<(usize, u64)>,
    /// Members that wait for an item.
    pub(super) sleepers: Vec<(usize, Waker)>,
    /// Publishers that wait for room, in order.
    pub(super) publishers: VecDeque<(u64, Waker)>,
    tickets: u64,
    /// Whoever waits for the queue to be empty.
    pub(super) closers: Vec<Waker>,
    pub(super) notices: Notices,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// Hands over what is queued and takes nothing in.
    Closing,
    /// Nobody is left to take anything.
    Gone,
}

impl<M> State<M> {
    pub(super) const fn new() -> Self {
        Self {
            items: Ring::new(),
            held_at_most: 0,
            phase: Phase::Open,
            members: 0,
            joined: 0,
            accepted: 0,
            dropped: 0,
            taken: Vec::new(),
            sleepers: Vec::new(),
            publishers: VecDeque::new(),
            tickets: 0,
            closers: Vec::new(),
            notices: Notices { waiting: VecDeque::new(), missed: 0 },
        }
    }

    /// Wakes every member that sleeps. One alone might be busy with other things by now and leave the item lying.
    pub(super) fn wake_members(&mut self, wakes: &mut Wakes) {
        self.sleepers.drain(..).for_each(|(_, waker)| wakes.push(waker));
    }

    /// Counts an item that a member of a group takes.
    pub(super) fn count_taken(&mut self, member: usize) {
        if let Some((_, taken)) = self.taken.iter_mut().find(|(taker, _)| *taker == member) {
            *taken += 1;
        }
    }

    /// Lets a member sleep until an item comes.
    pub(super) fn sleep(&mut self, member: usize, waker: &Waker) {
        match self.sleepers.iter_mut().find(|(sleeper, _)| *sleeper == member) {
            Some((_, old)) => old.clone_from(waker),
            None => self.sleepers.push((member, waker.clone())),
        }
    }

    pub(super) fn wake_publishers(&mut self, count: usize, wakes: &mut Wakes) {
        let count = count.min(self.publishers.len());
        self.publishers.drain(..count).for_each(|(_, waker)| wakes.push(waker));
    }

    pub(super) fn wake_closers(&mut self, wakes: &mut Wakes) {
        self.closers.drain(..).for_each(|waker| wakes.push(waker));
    }

    /// Queues a publisher up for room, or keeps its place.
    pub(super) fn queue_up(&mut self, ticket: Option<u64>, waker: &Waker) -> u64 {
        if let Some((ticket, old)) = self.publishers.iter_mut().find(|(found, _)| Some(*found) == ticket) {
            old.clone_from(waker);
            return *ticket;
        }
        self.tickets += 1;
        self.publishers.push_back((self.tickets, waker.clone()));
        self.tickets
    }

    /// Gives a place up. Tells whether it was still waiting.
    pub(super) fn give_up(&mut self, ticket: u64) -> bool {
        let before = self.publishers.len();
        self.publishers.retain(|(found, _)| *found != ticket);
        self.publishers.len() < before
    }

    /// The watch bit, when somebody waits for the queue to shrink.
    pub(super) fn watched(&self) -> usize {
        if self.publishers.is_empty() && self.closers.is_empty() { 0 } else { super::WATCHED }
    }
}

/// Publications of another type that the stream is to hear of.
pub(super) struct Notices {
    waiting: VecDeque<Notice>,
    missed: u64,
}

/// Something was published that nobody takes, since those who listen take another type.
#[derive(Clone)]
pub(crate) struct Notice {
    pub(crate) subject: Subject,
    pub(crate) sent: String,
    pub(crate) expected: String,
    /// How many more like this one were not kept.
    pub(crate) missed: u64,
}

impl Notices {
    pub(super) fn push(&mut self, notice: Notice) {
        if self.waiting.len() < MAX_NOTICES {
            self.waiting.push_back(notice);
        } else {
            self.missed += 1;
        }
    }

    pub(super) fn pop(&mut self) -> Option<Notice> {
        let mut notice = self.waiting.pop_front()?;
        if self.waiting.is_empty() {
            notice.missed = std::mem::take(&mut self.missed);
        }
        Some(notice)
    }
}

impl From<Notice> for Error {
    fn from(notice: Notice) -> Self {
        let Notice { subject, sent, expected, missed } = notice;
        let more = if missed > 0 { format!(" (and {missed} more that were not kept)") } else { String::new() };
        let text = format!("`{sent}` was sent, but `{expected}` is expected here; nobody got it{more}");
        Self::new(ErrorKind::TypeMismatch, text).with_operation("receive").with_subject(subject)
    }
}
