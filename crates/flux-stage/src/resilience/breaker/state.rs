//! The circuit as a state machine on one atomic word. It knows no clock and no future.

use super::sync::{AtomicU64, Ordering};
use super::tally::Tally;

/// The largest count a threshold can ask for.
const COUNT_MAX: u64 = (1 << 20) - 1;

/// What a circuit lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CircuitState {
    /// Every call.
    Closed,
    /// As many calls at a time as there may be probes.
    HalfOpen,
    /// None.
    Open,
}

/// From one state to another.
pub(crate) type Change = (CircuitState, CircuitState);

/// When a circuit changes its state. Times are nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) trip: Trip,
    pub(crate) reset_after: u64,
    pub(crate) successes: u32,
    pub(crate) probes: u32,
}

/// What opens a circuit.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trip {
    /// So many failures with no success among them.
    Consecutive(u32),
    /// At least this share of the calls of the window failed, and there were so many.
    Rate { share: f64, calls_min: u64 },
}

/// Admission of one call, to be handed back with its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    /// The period in which it was admitted: a result that comes after a change of state says nothing about the new one.
    period: u64,
}

/// All that changes, in one word so that it changes at once: the state, a number for the period since it changed, and two
/// counts. Closed, `a` counts failures in a row. Half open, `a` counts probes in flight and `b` their successes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    state: CircuitState,
    period: u64,
    a: u64,
    b: u64,
}

impl Word {
    const CLOSED: Self = Self { state: CircuitState::Closed, period: 0, a: 0, b: 0 };

    const fn pack(self) -> u64 {
        let state = match self.state {
            CircuitState::Closed => 0,
            CircuitState::HalfOpen => 1,
            CircuitState::Open => 2,
        };
        state << 62 | (self.period & Self::PERIOD) << 40 | self.a << 20 | self.b
    }

    const fn unpack(word: u64) -> Self {
        let state = match word >> 62 {
            0 => CircuitState::Closed,
            1 => CircuitState::HalfOpen,
            _ => CircuitState::Open,
        };
        Self { state, period: word >> 40 & Self::PERIOD, a: word >> 20 & COUNT_MAX, b: word & COUNT_MAX }
    }

    /// Periods are told apart until one has lasted four million changes.
    const PERIOD: u64 = (1 << 22) - 1;

    const fn turned(self, state: CircuitState) -> Self {
        Self { state, period: (self.period + 1) & Self::PERIOD, a: 0, b: 0 }
    }

    const fn admitted(self, ticket: Ticket) -> bool {
        self.period == ticket.period
    }
}

/// The state machine.
#[derive(Debug)]
pub(crate) struct Machine {
    word: AtomicU64,
    /// When an open circuit lets a probe through. It only grows, so a thread that was held up cannot bring the time forward.
    probe_at: AtomicU64,
    tally: Tally,
    rules: Rules,
}

impl Machine {
    /// A closed circuit; the tally is used by [`Trip::Rate`] only.
    pub(crate) fn new(mut rules: Rules, tally: Tally) -> Self {
        let bounded = |count: u32| count.clamp(1, 1 << 19);
        rules.successes = bounded(rules.successes);
        rules.probes = bounded(rules.probes);
        if let Trip::Consecutive(failures) = &mut rules.trip {
            *failures = bounded(*failures);
        }
        Self { word: AtomicU64::new(Word::CLOSED.pack()), probe_at: AtomicU64::new(0), tally, rules }
    }

    /// The state as the next call at `now` would find it.
    pub(crate) fn state(&self, now: impl FnOnce() -> u64) -> CircuitState {
        match self.load().state {
            CircuitState::Open if now() >= self.probe_at.load(Ordering::Acquire) => CircuitState::HalfOpen,
            state => state,
        }
    }

    /// Admits a call, or says for how long there is no use in asking again. Closed, it costs one load.
    #[inline]
    pub(crate) fn enter(&self, now: impl Fn() -> u64) -> Result<(Ticket, Option<Change>), u64> {
        let word = self.load();
        if word.state == CircuitState::Closed {
            return Ok((Ticket { period: word.period }, None));
        }
        self.probe(now)
    }

    #[cold]
    fn probe(&self, now: impl Fn() -> u64) -> Result<(Ticket, Option<Change>), u64> {
        loop {
            let word = self.load();
            let (next, change) = match word.state {
                CircuitState::Closed => return Ok((Ticket { period: word.period }, None)),
                CircuitState::Open => {
                    let wait = self.probe_at.load(Ordering::Acquire).saturating_sub(now());
                    if wait > 0 {
                        return Err(wait);
                    }
                    let next = Word { a: 1, ..word.turned(CircuitState::HalfOpen) };
                    (next, Some((CircuitState::Open, CircuitState::HalfOpen)))
                }
                CircuitState::HalfOpen if word.a >= u64::from(self.rules.probes) => return Err(0),
                CircuitState::HalfOpen => (Word { a: word.a + 1, ..word }, None),
            };
            if self.swap(word, next) {
                return Ok((Ticket { period: next.period }, change));
            }
        }
    }

    /// The call succeeded. Closed, with no failure before it, this costs one load, or one addition when a rate is kept.
    #[inline]
    pub(crate) fn succeed(&self, ticket: Ticket, now: impl Fn() -> u64) -> Option<Change> {
        let word = self.load();
        if word.state == CircuitState::Closed && word.admitted(ticket) {
            if let Trip::Rate { .. } = self.rules.trip {
                self.tally.add(now(), false);
                return None;
            }
            if word.a == 0 {
                return None;
            }
        }
        self.update(|word| match word.state {
            _ if !word.admitted(ticket) => None,
            CircuitState::Closed => Some(Word { a: 0, ..word }),
            CircuitState::HalfOpen if word.b + 1 >= u64::from(self.rules.successes) => {
                // No call counts while half open, so the closed circuit starts from nothing.
                self.tally.clear();
                Some(word.turned(CircuitState::Closed))
            }
            CircuitState::HalfOpen => Some(Word { a: word.a.saturating_sub(1), b: word.b + 1, ..word }),
            CircuitState::Open => None,
        })
    }

    /// The call failed in a way that counts.
    #[cold]
    pub(crate) fn fail(&self, ticket: Ticket, now: impl Fn() -> u64) -> Option<Change> {
        let now = now();
        let trips = match self.rules.trip {
            Trip::Consecutive(_) => false,
            Trip::Rate { share, calls_min } => {
                let word = self.load();
                let counts = word.state == CircuitState::Closed && word.admitted(ticket);
                counts && self.tally.add(now, true).reaches(share, calls_min)
            }
        };
        self.update(|word| {
            let opens = match (word.state, self.rules.trip) {
                _ if !word.admitted(ticket) => return None,
                (CircuitState::Open, _) => return None,
                (CircuitState::HalfOpen, _) => true,
                (CircuitState::Closed, Trip::Rate { .. }) => trips,
                (CircuitState::Closed, Trip::Consecutive(failures)) => word.a + 1 >= u64::from(failures),
            };
            if opens {
                self.probe_at.fetch_max(now.saturating_add(self.rules.reset_after), Ordering::AcqRel);
                return Some(word.turned(CircuitState::Open));
            }
            match self.rules.trip {
                Trip::Consecutive(_) => Some(Word { a: word.a + 1, ..word }),
                Trip::Rate { .. } => None,
            }
        })
    }

    /// The call ended without a result: a probe gives its place back.
    #[cold]
    pub(crate) fn abandon(&self, ticket: Ticket) {
        self.update(|word| {
            let is_probe = word.state == CircuitState::HalfOpen && word.admitted(ticket);
            is_probe.then(|| Word { a: word.a.saturating_sub(1), ..word })
        });
    }

    #[inline]
    fn load(&self) -> Word {
        Word::unpack(self.word.load(Ordering::Acquire))
    }

    fn swap(&self, word: Word, next: Word) -> bool {
        self.word.compare_exchange(word.pack(), next.pack(), Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Replaces the word by what `next` makes of it, until nobody comes between; nothing is left as it is.
    fn update(&self, next: impl Fn(Word) -> Option<Word>) -> Option<Change> {
        loop {
            let word = self.load();
            let next = next(word)?;
            if self.swap(word, next) {
                return (word.state != next.state).then_some((word.state, next.state));
            }
        }
    }
}
