//! The same thing a few times over, so that threads do not contend for it.

use std::array;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many there are; threads beyond that share.
const COPIES: usize = 8;

/// One for each thread, or for a few of them.
#[derive(Debug)]
pub struct PerThread<T>([Arc<T>; COPIES]);

impl<T> PerThread<T> {
    /// Makes each of them.
    pub fn new(mut make: impl FnMut() -> T) -> Self {
        Self(array::from_fn(|_| Arc::new(make())))
    }

    /// The one of this thread.
    #[inline]
    #[must_use]
    pub fn here(&self) -> &Arc<T> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static PLACE: usize = NEXT.fetch_add(1, Ordering::Relaxed);
        }
        let [first, ..] = &self.0;
        self.0.get(PLACE.with(|place| place % COPIES)).unwrap_or(first)
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Arc<T>] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_finds_its_own_again_and_another_has_another() {
        let places = PerThread::new(|| 0_u8);
        let here = || Arc::as_ptr(places.here()).addr();
        assert_eq!(here(), here());
        // Threads are numbered as they come, so two in a row differ, whoever else counts in this process.
        let others: Vec<_> = thread::scope(|scope| {
            (0..COPIES).map(|_| scope.spawn(here).join()).map(|place| place.expect("no panic")).collect()
        });
        assert!(others.iter().any(|place| *place != here()));
    }
}
