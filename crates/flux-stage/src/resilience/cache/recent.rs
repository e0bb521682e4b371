//! The most recent keys, bounded by count and by time.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

/// Values by key, for as long as they are recent.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    values: HashMap<K, Entry<V>>,
    /// Keys in the order they came, with their number: one that was replaced has another number in `values`.
    order: VecDeque<(K, u64)>,
    next: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    number: u64,
    since: Instant,
}

/// How many values are recent, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) count: usize,
    pub(super) time: Option<Duration>,
}

impl Bounds {
    fn is_over(self, since: Instant, now: Instant) -> bool {
        self.time.is_some_and(|time| now.saturating_duration_since(since) >= time)
    }
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { values: HashMap::new(), order: VecDeque::new(), next: 0 }
    }
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    pub(super) fn find(&self, key: &K, now: Instant, bounds: Bounds) -> Option<&V> {
        let entry = self.values.get(key)?;
        (!bounds.is_over(entry.since, now)).then_some(&entry.value)
    }

    /// Puts a value in, and what is no longer recent out.
    pub(super) fn insert(&mut self, key: K, value: V, now: Instant, bounds: Bounds) {
        if bounds.count == 0 {
            return;
        }
        let number = self.next;
        self.next += 1;
        self.values.insert(key.clone(), Entry { value, number, since: now });
        self.order.push_back((key, number));
        while let Some((key, number)) = self.order.front() {
            let entry = self.values.get(key).filter(|entry| entry.number == *number);
            let stays = entry.is_some_and(|entry| !bounds.is_over(entry.since, now));
            if stays && self.values.len() <= bounds.count {
                break;
            }
            let is_current = entry.is_some();
            let Some((key, _)) = self.order.pop_front() else { break };
            if is_current {
                self.values.remove(&key);
            }
        }
        // A key that is replaced again and again leaves its old places behind one that stays.
        if self.order.len() > 2 * self.values.len() + 8 {
            let values = &self.values;
            self.order.retain(|(key, number)| values.get(key).is_some_and(|entry| entry.number == *number));
        }
    }

    #[cfg(test)]
    fn len(&self) -> (usize, usize) {
        (self.values.len(), self.order.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_within_its_bounds_however_it_is_used() {
        let bounds = Bounds { count: 10, time: None };
        let now = Instant::now();
        let mut recent = Recent::default();
        recent.insert(u64::MAX, 0, now, bounds);
        for n in 0..10_000_u64 {
            recent.insert(n % 5, n, now, bounds);
            let (values, order) = recent.len();
            assert!(values <= 10 && order <= 2 * 10 + 8, "{values} values, {order} places");
        }
        assert_eq!(recent.find(&4, now, bounds), Some(&9_999));
        assert_eq!(recent.find(&u64::MAX, now, bounds), Some(&0));
    }
}
