//! The subject that was published to last: whoever publishes to it again copies nothing.

use std::sync::{Mutex, TryLockError};

use flux_core::Subject;

use crate::wire;

/// Remembers one subject, as flux has it and as the client has it.
#[derive(Debug, Default)]
pub(crate) struct LastSubject(Mutex<Option<Last>>);

#[derive(Debug)]
struct Last {
    subject: Subject,
    /// Made when the subject comes for the second time, so that subjects that keep changing cost no allocation more.
    native: Option<async_nats::Subject>,
}

impl LastSubject {
    /// The subject as the client takes it. Whoever comes while another task asks makes a copy instead of waiting.
    #[inline]
    pub(crate) fn native(&self, subject: &Subject) -> async_nats::Subject {
        match subject.as_static() {
            Some(text) => async_nats::Subject::from_static(text),
            None => self.shared(subject),
        }
    }

    #[inline(never)]
    fn shared(&self, subject: &Subject) -> async_nats::Subject {
        let mut last = match self.0.try_lock() {
            Ok(last) => last,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return wire::subject(subject),
        };
        match &mut *last {
            Some(last) if last.subject.as_bytes() == subject.as_bytes() => {
                last.native.get_or_insert_with(|| wire::subject(subject)).clone()
            }
            last => {
                *last = Some(Last { subject: subject.clone(), native: None });
                wire::subject(subject)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(text: &str) -> Subject {
        Subject::new(text).expect("valid")
    }

    #[test]
    fn a_subject_is_shared_from_its_second_time_on() {
        let last = LastSubject::default();
        let place = |text: &str| {
            let native = last.native(&subject(text));
            assert_eq!(native.as_str(), text);
            // What it points to, while it is held.
            (native.as_ptr(), native)
        };
        let (first, second, third) = (place("orders.new"), place("orders.new"), place("orders.new"));
        assert!(first.0 != second.0 && second.0 == third.0);
        let other = place("orders.old");
        assert!(place("orders.new").0 != third.0, "only one is remembered");
        assert_eq!(other.1.as_str(), "orders.old");
    }

    #[test]
    fn nobody_waits_for_it_and_literals_do_without() {
        let last = LastSubject::default();
        let _busy = last.0.lock().expect("nobody has panicked");
        assert_eq!(last.native(&subject("orders.new")).as_str(), "orders.new");
        assert_eq!(last.native(&flux_core::subject!("orders.new")).as_str(), "orders.new");
    }
}
