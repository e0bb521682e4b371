//! What one message reuses of the message before on the same thread.

use std::cell::Cell;

use crate::{Result, Subject};

/// A payload over this many bytes does not keep its buffer for the next one.
const KEPT: usize = 64 * 1024;

thread_local! {
    static PLACE: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Encoders write into it, so that a payload costs one allocation of its own size and no more.
    pub(super) buffer: Vec<u8>,
    /// The subject that was last published to, which need not be checked again.
    subject: Option<Subject>,
}

impl Scratch {
    /// Lends this thread's. An encoder that publishes itself gets another, as does a thread that ends.
    #[inline]
    pub(super) fn lend<R>(work: impl FnOnce(&mut Self) -> R) -> R {
        let mut scratch = PLACE.try_with(Cell::take).unwrap_or_default().unwrap_or_default();
        let result = work(&mut scratch);
        if scratch.buffer.capacity() <= KEPT {
            // A thread that ends has no place for it.
            let _ = PLACE.try_with(|place| place.set(Some(scratch)));
        }
        result
    }

    /// The subject, checked if it is another one than before.
    #[inline]
    pub(super) fn subject(&mut self, subject: &str) -> Result<Subject> {
        match &self.subject {
            Some(last) if last == subject => Ok(last.clone()),
            _ => Ok(self.subject.insert(Subject::new(subject)?).clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room() -> usize {
        Scratch::lend(|scratch| scratch.buffer.capacity())
    }

    #[test]
    fn the_next_message_has_the_buffer_of_the_one_before() {
        // On a thread of its own: another test may have encoded on this one.
        let work = || {
            assert_eq!(room(), 0);
            Scratch::lend(|scratch| scratch.buffer.reserve_exact(100));
            assert_eq!(room(), 100);
            Scratch::lend(|scratch| scratch.buffer.reserve_exact(KEPT + 1));
            assert_eq!(room(), 0, "one that large is given back");
        };
        std::thread::spawn(work).join().expect("no panic");
    }

    #[test]
    fn who_encodes_while_encoding_has_another() {
        Scratch::lend(|scratch| {
            scratch.buffer = b"outer".to_vec();
            Scratch::lend(|inner| inner.buffer.extend_from_slice(b"inner"));
            assert_eq!(scratch.buffer, b"outer");
        });
    }

    #[test]
    fn a_subject_is_checked_whenever_it_changes() {
        Scratch::lend(|scratch| {
            for text in ["a.b", "a.b", "a.c"] {
                assert_eq!(scratch.subject(text).expect("valid"), *text);
            }
            assert!(scratch.subject("a..b").is_err());
            assert_eq!(scratch.subject("a.c").expect("valid"), *"a.c");
        });
    }
}
