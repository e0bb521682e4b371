//! One batch: who waits in it, who drives it, and what each gets back. It knows no clock and runs nothing itself.

use std::task::Waker;

use super::sync::{Mutex, MutexGuard, lock};

/// What a batch holds at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) items: usize,
    pub(crate) weight: usize,
}

/// How joining went.
#[derive(Debug)]
pub(crate) enum Joined<In> {
    /// There is a seat under this number; the batch is now full or not.
    Seated { seat: u64, full: bool },
    /// The batch is closed, now or before; the item goes into another.
    Closed(In),
}

/// What a caller has to do next.
#[derive(Debug)]
pub(crate) enum Turn<In, F, R> {
    /// Nothing until woken.
    Wait,
    /// Close the batch when its time is up.
    Mind,
    /// Run these.
    Start(Vec<In>),
    /// Go on running this.
    Continue(F),
    /// Take the result. There is none when whoever ran the batch panicked.
    Finished(Option<R>),
}

/// A batch of items `In`, run by a future `F`, with a result `R` for each.
///
/// One of the callers drives: it minds the time and polls the future. When it is dropped another one is woken to drive on, so
/// a batch needs no task of its own, and ends when the last caller leaves.
#[derive(Debug)]
pub(crate) struct Cell<In, F, R>(Mutex<State<In, F, R>>);

#[derive(Debug)]
struct State<In, F, R> {
    phase: Phase<F>,
    /// By number, ascending.
    seats: Vec<Seat<In, R>>,
    next: u64,
    driver: u64,
    weight: usize,
}

#[derive(Debug)]
enum Phase<F> {
    Open,
    Closed,
    /// Empty while the driver polls it.
    Running(Option<F>),
    Done,
}

#[derive(Debug)]
struct Seat<In, R> {
    number: u64,
    item: Option<In>,
    weight: usize,
    result: Option<R>,
    waker: Option<Waker>,
    left: bool,
}

impl<In, F, R> Cell<In, F, R> {
    /// An open batch with the first item in it, at seat 0.
    pub(crate) fn new(item: In, weight: usize, room: Room, waker: &Waker) -> (Self, bool) {
        let mut seats = Vec::with_capacity(room.items.min(256));
        seats.push(Seat::new(0, item, weight, waker));
        let full = room.items <= 1 || weight >= room.weight;
        let phase = if full { Phase::Closed } else { Phase::Open };
        (Self(Mutex::new(State { phase, seats, next: 1, driver: 0, weight })), full)
    }

    /// Puts `item` into the batch if it is open and has room; `waker` is woken when there is something to do. Whoever fills
    /// the batch drives it.
    pub(crate) fn join(&self, item: In, weight: usize, room: Room, waker: &Waker) -> Joined<In> {
        let mut state = self.state();
        // One that all have left is as good as closed: its time began with an item that is gone.
        if state.seats.is_empty() || !matches!(state.phase, Phase::Open) {
            return Joined::Closed(item);
        }
        if state.weight.saturating_add(weight) > room.weight {
            state.phase = Phase::Closed;
            let waker = state.driver_waker();
            drop(state);
            waker.into_iter().for_each(Waker::wake);
            return Joined::Closed(item);
        }
        let seat = state.next;
        state.next += 1;
        state.weight = state.weight.saturating_add(weight);
        state.seats.push(Seat::new(seat, item, weight, waker));
        let full = state.seats.len() >= room.items || state.weight >= room.weight;
        if full {
            state.phase = Phase::Closed;
            state.driver = seat;
        }
        Joined::Seated { seat, full }
    }

    /// What the caller at `seat` has to do; it is woken when that changes.
    pub(crate) fn turn(&self, seat: u64, waker: &Waker) -> Turn<In, F, R> {
        let mut state = self.state();
        let is_driver = state.driver == seat;
        let turn = match &mut state.phase {
            Phase::Done => {
                return Turn::Finished(state.seat(seat).and_then(|seat| seat.result.take()));
            }
            Phase::Open if is_driver => Turn::Mind,
            Phase::Closed if is_driver => {
                state.phase = Phase::Running(None);
                let mut items = Vec::with_capacity(state.seats.len());
                items.extend(state.seats.iter_mut().filter_map(|seat| seat.item.take()));
                return Turn::Start(items);
            }
            Phase::Running(future) if is_driver => match future.take() {
                Some(future) => return Turn::Continue(future),
                None => Turn::Wait,
            },
            _ => Turn::Wait,
        };
        if let Some(seat) = state.seat(seat) {
            match &mut seat.waker {
                Some(old) => old.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
        }
        turn
    }

    /// The driver says that the time is up.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        if let Phase::Open = state.phase {
            state.phase = Phase::Closed;
        }
    }

    /// The driver puts the future back that is not done.
    pub(crate) fn put_back(&self, future: F) {
        let mut state = self.state();
        if let Phase::Running(place) = &mut state.phase {
            *place = Some(future);
        }
    }

    /// Gives each caller, in order, the next of `results`, and wakes all.
    pub(crate) fn finish(&self, mut results: impl FnMut() -> Option<R>) {
        let mut state = self.state();
        state.phase = Phase::Done;
        let driver = state.driver;
        let mut wakers: Vec<Waker> = Vec::with_capacity(state.seats.len());
        for seat in &mut state.seats {
            let result = results();
            if seat.left {
                continue;
            }
            seat.result = result;
            let waker = seat.waker.take().filter(|_| seat.number != driver);
            // Callers of one task follow each other more often than not, and one wake is enough for them.
            wakers.extend(waker.filter(|waker| !wakers.last().is_some_and(|last| last.will_wake(waker))));
        }
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The caller at `seat` is gone. An item that does not run yet goes with it; a driver hands over.
    pub(crate) fn leave(&self, number: u64) {
        let mut state = self.state();
        let is_driver = state.driver == number;
        match &state.phase {
            Phase::Done => return,
            Phase::Running(None) if is_driver => {
                // The driver unwinds out of the future: there is nothing left to drive.
                drop(state);
                return self.finish(|| None);
            }
            Phase::Running(_) => {
                if let Some(seat) = state.seat(number) {
                    seat.left = true;
                }
            }
            Phase::Open | Phase::Closed => {
                if let Ok(at) = state.seats.binary_search_by_key(&number, |seat| seat.number) {
                    state.weight -= state.seats.remove(at).weight;
                }
            }
        }
        if !is_driver {
            return;
        }
        let Some(heir) = state.seats.iter().find(|seat| !seat.left).map(|seat| seat.number) else {
            let phase = std::mem::replace(&mut state.phase, Phase::Done);
            drop(state);
            // What ran is dropped here, outside of the lock.
            drop(phase);
            return;
        };
        state.driver = heir;
        let waker = state.driver_waker();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    fn state(&self) -> MutexGuard<'_, State<In, F, R>> {
        lock(&self.0)
    }
}

impl<In, F, R> State<In, F, R> {
    fn seat(&mut self, number: u64) -> Option<&mut Seat<In, R>> {
        let at = self.seats.binary_search_by_key(&number, |seat| seat.number).ok()?;
        self.seats.get_mut(at)
    }

    fn driver_waker(&mut self) -> Option<Waker> {
        self.seat(self.driver).and_then(|seat| seat.waker.take())
    }
}

impl<In, R> Seat<In, R> {
    fn new(number: u64, item: In, weight: usize, waker: &Waker) -> Self {
        Self { number, item: Some(item), weight, result: None, waker: Some(waker.clone()), left: false }
    }
}
