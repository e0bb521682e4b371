//! The bounded queue of one subscription, queue group or responder.

mod close;
mod members;
mod room;
mod state;

use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

pub(crate) use close::Close;
pub(crate) use members::MemberBacklog;
pub(crate) use room::WaitForRoom;
pub(crate) use state::Notice;
use state::{Phase, State};

use crate::ring::Ring;
use crate::wakes::Wakes;

/// The bit of [`Queue::held`] that says: somebody waits for the queue to shrink, so tell of every item taken.
const WATCHED: usize = 1 << (usize::BITS - 1);

/// What is queued for one subscription, for the members of one group, or for one responder.
///
/// A stream that has the queue for itself takes all that is there at once and hands it out from a buffer of its own.
/// Invariant: what is queued and what that buffer still holds are together never more than the capacity.
pub(crate) struct Queue<M> {
    state: Mutex<State<M>>,
    /// How many items streams have taken and not handed out yet, and [`WATCHED`].
    held: Line<AtomicUsize>,
    capacity: usize,
    /// The name of the group whose members share the queue.
    group: Option<Box<str>>,
    /// Where the table keeps this queue among those of the same filter.
    pub(crate) place: AtomicUsize,
}

/// A cache line of its own: the stream writes here for every item while publishers work on the rest.
#[repr(align(128))]
struct Line<V>(V);

/// Why an item was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The bus is closed.
    Closed,
    /// There is no room.
    Full,
    /// Whoever it was for has left.
    Gone,
}

impl<M> Queue<M> {
    pub(crate) fn new(capacity: usize, group: Option<&str>) -> Self {
        Self {
            state: Mutex::new(State::new()),
            held: Line(AtomicUsize::new(0)),
            capacity: capacity.min(WATCHED - 1),
            group: group.map(Into::into),
            place: AtomicUsize::new(0),
        }
    }

    pub(crate) fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// Whether a fill that found so many items could have found more: members of a group take one at a time.
    pub(crate) fn could_have_filled(&self, found: usize) -> bool {
        self.group.is_none() && found < self.capacity
    }

    /// Moves the item out of `item` into the queue, or leaves it where it is.
    pub(crate) fn push(&self, item: &mut Option<M>, wakes: &mut Wakes) -> Result<(), Refusal> {
        let mut state = self.lock();
        match state.phase {
            Phase::Open => {}
            Phase::Closing => return Err(Refusal::Closed),
            Phase::Gone => return Err(Refusal::Gone),
        }
        if state.items.len() + state.held_at_most >= self.capacity {
            state.held_at_most = self.held.0.load(Ordering::Acquire) & !WATCHED;
            if state.items.len() + state.held_at_most >= self.capacity {
                return Err(Refusal::Full);
            }
        }
        state.items.push(item);
        state.accepted += 1;
        if !state.sleepers.is_empty() {
            state.wake_members(wakes);
        }
        Ok(())
    }

    /// Moves the next item into `buffer`, and with it, when the stream has the queue for itself, all others.
    pub(crate) fn poll_fill(
        &self,
        buffer: &mut Ring<M>,
        member: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(), Notice>>> {
        let mut state = self.lock();
        if let Some(notice) = state.notices.pop() {
            return Poll::Ready(Some(Err(notice)));
        }
        if !state.items.is_empty() {
            if self.group.is_some() {
                buffer.push(&mut state.items.pop());
                state.count_taken(member);
            } else {
                mem::swap(&mut state.items, buffer);
            }
            let held = self.held.0.fetch_add(buffer.len(), Ordering::AcqRel) & !WATCHED;
            state.held_at_most = held + buffer.len();
            return Poll::Ready(Some(Ok(())));
        }
        if state.phase != Phase::Open {
            return Poll::Ready(None);
        }
        state.sleep(member, cx.waker());
        // A publisher that was woken may be busy with other things by now; none may sleep beside an empty queue.
        let mut wakes = Wakes::new();
        state.wake_publishers(usize::MAX, &mut wakes);
        self.watch(&state);
        drop(state);
        wakes.wake();
        Poll::Pending
    }

    /// Tells the queue that an item has left a stream's buffer.
    #[inline]
    pub(crate) fn handed_out(&self) {
        if self.held.0.fetch_sub(1, Ordering::AcqRel) & WATCHED != 0 {
            self.make_room_known();
        }
    }

    #[cold]
    fn make_room_known(&self) {
        let mut wakes = Wakes::new();
        self.shrunk(&mut self.lock(), &mut wakes);
        wakes.wake();
    }

    /// Wakes as many publishers as there is room for, and whoever waits for the queue to be empty.
    fn shrunk(&self, state: &mut State<M>, wakes: &mut Wakes) {
        let queued = state.items.len() + (self.held.0.load(Ordering::Acquire) & !WATCHED);
        state.wake_publishers(self.capacity.saturating_sub(queued), wakes);
        if queued == 0 {
            state.wake_closers(wakes);
        }
        self.watch(state);
    }

    /// Keeps [`WATCHED`] in step with the state. Called with the lock held whenever somebody begins or ends to wait.
    /// Returns how many items the stream holds.
    fn watch(&self, state: &State<M>) -> usize {
        let before = match state.watched() {
            0 => self.held.0.fetch_and(!WATCHED, Ordering::AcqRel),
            _ => self.held.0.fetch_or(WATCHED, Ordering::AcqRel),
        };
        before & !WATCHED
    }

    /// Counts an item that was dropped because the queue is full.
    pub(crate) fn count_dropped(&self) {
        self.lock().dropped += 1;
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Leaves a notice for the stream.
    pub(crate) fn notify(&self, notice: Notice, wakes: &mut Wakes) {
        let mut state = self.lock();
        state.notices.push(notice);
        state.wake_members(wakes);
    }

    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
