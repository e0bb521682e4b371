//! Where one subscription stands in its stream: what it was delivered, what it has not settled, and whether others share it.

use std::collections::BTreeSet;

/// Everything before these places is settled: in the stream, and in the order of the consumer's deliveries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Floor {
    /// The first place in the stream that may not be settled.
    pub(crate) next: u64,
    /// The last delivery of those that are settled, all before it included.
    pub(crate) delivery: u64,
}

/// Where a subscription stands.
#[derive(Debug)]
pub(crate) struct Standing {
    unsettled: BTreeSet<u64>,
    next: u64,
    /// What the server said last.
    floor: Floor,
    /// The newest delivery that came here, without a gap from the floor's on as long as nobody else took any.
    newest: u64,
    /// Another member of the group was delivered something that only the server knows to be settled.
    shared: bool,
}

impl Standing {
    pub(crate) fn new(floor: Floor) -> Self {
        Self { unsettled: BTreeSet::new(), next: floor.next, floor, newest: floor.delivery, shared: false }
    }

    /// The message at `sequence` was handed over, by the consumer's delivery of that number.
    pub(crate) fn delivered(&mut self, sequence: u64, delivery: u64) {
        self.unsettled.insert(sequence);
        self.passed(sequence, delivery);
    }

    /// As [`delivered`](Self::delivered), but nobody has to settle it.
    pub(crate) fn passed(&mut self, sequence: u64, delivery: u64) {
        self.shared |= delivery != self.newest + 1;
        self.newest = self.newest.max(delivery);
        self.next = self.next.max(sequence + 1);
    }

    pub(crate) fn settled(&mut self, sequence: u64) {
        self.unsettled.remove(&sequence);
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// The server has told the consumer's floor.
    pub(crate) fn learn(&mut self, floor: Floor) {
        if floor.delivery >= self.newest {
            (self.newest, self.shared) = (floor.delivery, false);
        }
        self.floor = floor;
    }

    /// Where a consumer has to begin that takes the place of one that is gone, so that nothing is left out: at the oldest message
    /// not settled here. If others took messages as well, theirs are known only to the server, and what it said last counts.
    pub(crate) fn floor(&self) -> u64 {
        let own = self.unsettled.first().copied().unwrap_or(self.next);
        if self.shared { own.min(self.floor.next) } else { own }
    }

    /// A consumer has taken the place of the one that is gone, and delivers again whatever was not settled.
    pub(crate) fn forget(&mut self) {
        *self = Self::new(Floor { next: self.floor(), delivery: 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(next: u64, delivery: u64) -> Standing {
        Standing::new(Floor { next, delivery })
    }

    #[test]
    fn who_is_alone_begins_at_its_oldest_unsettled_message() {
        let mut alone = standing(1, 0);
        for number in 1..=4 {
            alone.delivered(number * 10, number);
        }
        alone.settled(10);
        alone.settled(30);
        assert_eq!(alone.floor(), 20);
        for sequence in [20, 40] {
            alone.settled(sequence);
        }
        assert_eq!(alone.floor(), 41);
    }

    #[test]
    fn who_shares_leaves_out_nothing_of_the_others() {
        let mut shares = standing(1, 0);
        shares.delivered(2, 2);
        shares.settled(2);
        assert_eq!(shares.floor(), 1, "delivery 1 went to another");
        shares.learn(Floor { next: 2, delivery: 1 });
        assert_eq!(shares.floor(), 2);
        shares.learn(Floor { next: 3, delivery: 2 });
        assert!(!shares.is_shared(), "all that went to others is settled");
        shares.delivered(3, 3);
        assert_eq!(shares.floor(), 3);
    }

    #[test]
    fn deliveries_that_are_counted_anew_are_no_sign_of_being_alone() {
        let mut shares = standing(1, 0);
        shares.delivered(1, 1);
        shares.settled(1);
        // Another member has made the consumer anew, and its deliveries count from 1 again.
        shares.delivered(5, 1);
        shares.settled(5);
        assert_eq!(shares.floor(), 1);
    }
}
