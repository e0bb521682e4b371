//! The responders that one thread has found lately: the next request to them takes no lock that other threads take.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::inline::Known;

/// So many are remembered; of two that fall into the same slot, the last.
const SLOTS: usize = 16;

#[derive(Default)]
pub(crate) struct Recent(Mutex<[Option<Arc<Known>>; SLOTS]>);

impl Recent {
    /// The responder of the subject that stands in a path.
    #[inline]
    pub(crate) fn get(&self, segment: &str) -> Option<Arc<Known>> {
        let slots = self.lock();
        let known = slots.get(slot(segment))?.as_ref()?;
        (known.subject == *segment).then(|| Arc::clone(known))
    }

    /// Remembers a responder that `holds`, which is asked while nothing can be forgotten.
    pub(super) fn insert(&self, known: &Arc<Known>, holds: impl FnOnce() -> bool) {
        let subject = known.subject.as_str();
        let mut slots = self.lock();
        // In a path, a percent sign stands for something else.
        if !subject.contains('%')
            && holds()
            && let Some(slot) = slots.get_mut(slot(subject))
        {
            *slot = Some(Arc::clone(known));
        }
    }

    /// Forgets all, and lets go of what their handlers hold.
    pub(super) fn clear(&self) {
        *self.lock() = Default::default();
    }

    fn lock(&self) -> MutexGuard<'_, [Option<Arc<Known>>; SLOTS]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// By the last letters, in which subjects differ most.
fn slot(subject: &str) -> usize {
    let ending = subject.bytes().rev().take(8).fold(0, |ending, byte| ending << 8 | u64::from(byte));
    (ending.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60) as usize
}

#[cfg(test)]
mod tests {
    use flux_core::Subject;

    use super::*;
    use crate::inline::Inline;

    fn known(subject: &str) -> Arc<Known> {
        let inline = Inline::new(Arc::new(|_| Box::pin(async {})), 1, 1);
        Arc::new(Known { config: Arc::default(), subject: Subject::new(subject).expect("valid"), inline })
    }

    #[test]
    fn what_is_remembered_is_found_until_all_is_forgotten() {
        let recent = Recent::default();
        for subject in ["a", "b", "orders.created"] {
            let known = known(subject);
            recent.insert(&known, || true);
            assert!(recent.get(subject).is_some_and(|found| Arc::ptr_eq(&found, &known)));
        }
        assert!(recent.get("orders.deleted").is_none());
        recent.clear();
        assert!(recent.get("orders.created").is_none());
    }

    #[test]
    fn what_holds_no_more_or_reads_otherwise_in_a_path_is_not_remembered() {
        let recent = Recent::default();
        recent.insert(&known("a"), || false);
        recent.insert(&known("a%41"), || true);
        assert!(recent.get("a").is_none() && recent.get("a%41").is_none());
    }
}
