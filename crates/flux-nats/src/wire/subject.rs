//! Subjects as the client takes them: whoever publishes to the same one again copies nothing.

use std::cell::Cell;

use async_nats::subject::ToSubject;
use flux_core::Subject;

thread_local! {
    static LAST: Cell<Option<Box<Last>>> = const { Cell::new(None) };
}

/// The subject that this thread published to last, if it was no literal.
#[derive(Debug)]
struct Last {
    subject: Subject,
    /// Made when the subject comes for the second time, so that subjects that keep changing cost no allocation more.
    native: Option<async_nats::Subject>,
}

/// The subject as the client takes it. Copies it only if it is neither a literal nor the one that this thread took last.
#[inline]
#[must_use]
pub fn subject(subject: &Subject) -> async_nats::Subject {
    match subject.as_static() {
        Some(text) => async_nats::Subject::from_static(text),
        None => shared(subject),
    }
}

#[inline(never)]
fn shared(subject: &Subject) -> async_nats::Subject {
    let copy = || async_nats::Subject::from(subject.as_str());
    // A thread that ends has none.
    let (last, native) = match LAST.try_with(Cell::take).unwrap_or_default() {
        Some(mut last) if last.subject.as_bytes() == subject.as_bytes() => {
            let native = last.native.get_or_insert_with(copy).clone();
            (last, native)
        }
        Some(mut last) => {
            *last = Last { subject: subject.clone(), native: None };
            (last, copy())
        }
        None => (Box::new(Last { subject: subject.clone(), native: None }), copy()),
    };
    let _ = LAST.try_with(|place| place.set(Some(last)));
    native
}

/// A subject that the client makes its own of, without moving ours.
pub(crate) struct Borrowed<'s>(pub(crate) &'s Subject);

impl ToSubject for Borrowed<'_> {
    #[inline]
    fn to_subject(&self) -> async_nats::Subject {
        subject(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn native(text: &str) -> async_nats::Subject {
        let native = subject(&Subject::new(text).expect("valid"));
        assert_eq!(native.as_str(), text);
        native
    }

    #[test]
    fn a_subject_is_shared_from_its_second_time_on() {
        // On a thread of its own: another test may have published on this one.
        let work = || {
            let (first, second, third) = (native("orders.new"), native("orders.new"), native("orders.new"));
            assert!(first.as_ptr() != second.as_ptr() && second.as_ptr() == third.as_ptr());
            let _other = native("orders.old");
            assert!(native("orders.new").as_ptr() != third.as_ptr(), "only one is remembered");
        };
        std::thread::spawn(work).join().expect("no panic");
    }

    #[test]
    fn a_literal_is_not_copied() {
        let literal = flux_core::subject!("orders.new");
        assert_eq!(subject(&literal).as_ptr(), literal.as_str().as_ptr());
    }
}
