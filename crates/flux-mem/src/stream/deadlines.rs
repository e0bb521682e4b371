//! When deliveries run out.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::consumer::InFlight;
use crate::hash::TokenHash;

/// A hundred years. What takes longer never happens; clocks and timers overflow somewhere beyond.
pub(super) const FOREVER: Duration = Duration::from_hours(100 * 365 * 24);

/// The moment this long after another, if it ever comes.
pub(super) fn later(now: Instant, wait: Duration) -> Option<Instant> {
    now.checked_add(wait).filter(|_| wait < FOREVER)
}

/// Deadlines of deliveries. Those that were overtaken are passed over, and swept before they outnumber the others.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// Those that all lie as far ahead as any before them: the plain ack wait.
    in_order: VecDeque<(Instant, u64)>,
    /// All others.
    by_time: BTreeSet<(Instant, u64)>,
}

type Flights = HashMap<u64, InFlight, TokenHash>;

fn stands(flights: &Flights, (time, sequence): (Instant, u64)) -> bool {
    flights.get(&sequence).is_some_and(|flight| flight.runs_out == Some(time))
}

impl Deadlines {
    /// Adds one that is not before any that was added so.
    pub(super) fn push(&mut self, time: Instant, sequence: u64, flights: &Flights) {
        if self.in_order.back().is_some_and(|(last, _)| *last > time) {
            return self.insert(time, sequence, flights);
        }
        self.in_order.push_back((time, sequence));
        if self.in_order.len() > 2 * flights.len() + 64 {
            self.in_order.retain(|entry| stands(flights, *entry));
        }
    }

    /// Adds one.
    pub(super) fn insert(&mut self, time: Instant, sequence: u64, flights: &Flights) {
        self.by_time.insert((time, sequence));
        if self.by_time.len() > 2 * flights.len() + 64 {
            self.by_time.retain(|entry| stands(flights, *entry));
        }
    }

    /// The next one.
    pub(super) fn next(&mut self, flights: &Flights) -> Option<Instant> {
        while self.in_order.pop_front_if(|entry| !stands(flights, *entry)).is_some() {}
        while let Some(first) = self.by_time.first().copied().filter(|first| !stands(flights, *first)) {
            self.by_time.remove(&first);
        }
        let first = self.in_order.front().map(|(time, _)| *time);
        first.into_iter().chain(self.by_time.first().map(|(time, _)| *time)).min()
    }

    /// Takes the next one out, if it is not after `now`: whose it is.
    pub(super) fn pop(&mut self, now: Instant, flights: &Flights) -> Option<u64> {
        let next = self.next(flights).filter(|time| *time <= now)?;
        let first = self.in_order.pop_front_if(|(time, _)| *time == next);
        first.or_else(|| self.by_time.pop_first()).map(|(_, sequence)| sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_overtaken_takes_no_room() {
        let (mut deadlines, mut flights) = (Deadlines::default(), Flights::default());
        let now = Instant::now();
        let first = now + Duration::from_secs(1);
        flights.insert(1, InFlight { deliveries: 1, runs_out: Some(first), is_due: false });
        deadlines.push(first, 1, &flights);
        for number in 1..=10_000 {
            let time = first + Duration::from_millis(number);
            flights.insert(2, InFlight { deliveries: 1, runs_out: Some(time), is_due: false });
            if number % 2 == 0 {
                deadlines.push(time, 2, &flights);
            } else {
                deadlines.insert(time, 2, &flights);
            }
        }
        assert!(deadlines.in_order.len() <= 70 && deadlines.by_time.len() <= 70);
        assert_eq!(deadlines.pop(now, &flights), None);
        assert_eq!(deadlines.pop(first, &flights), Some(1));
        assert_eq!(deadlines.next(&flights), Some(first + Duration::from_secs(10)));
    }
}
