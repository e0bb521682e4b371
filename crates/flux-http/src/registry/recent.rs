//! The responders that one thread has found lately: the next request to them takes no lock that other threads take.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::inline::Known;

/// So many are remembered; of two that fall into the same place, the last.
const PLACES: usize = 16;

#[derive(Default)]
pub(crate) struct Recent(Mutex<[Option<Arc<Known>>; PLACES]>);

impl Recent {
    /// The responder of the subject that stands in a path.
    #[inline]
    pub(crate) fn get(&self, segment: &str) -> Option<Arc<Known>> {
        let places = self.lock();
        let known = places.get(place(segment))?.as_ref()?;
        (known.subject == *segment).then(|| Arc::clone(known))
    }

    /// Remembers a responder that `holds`, which is asked while nothing can be forgotten.
    pub(super) fn insert(&self, known: &Arc<Known>, holds: impl FnOnce() -> bool) {
        let subject = known.subject.as_str();
        let mut places = self.lock();
        // In a path, a percent sign stands for something else.
        if !subject.contains('%')
            && holds()
            && let Some(place) = places.get_mut(place(subject))
        {
            *place = Some(Arc::clone(known));
        }
    }

    /// Forgets all, and lets go of what their handlers hold.
    pub(super) fn clear(&self) {
        *self.lock() = Default::default();
    }

    fn lock(&self) -> MutexGuard<'_, [Option<Arc<Known>>; PLACES]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// By its length and its last letters, in which subjects differ most.
fn place(subject: &str) -> usize {
    let bytes = subject.as_bytes();
    let ending = bytes.last_chunk::<8>().map_or(0, |ending| u64::from_le_bytes(*ending));
    let mixed = (ending ^ bytes.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 60) as usize
}
