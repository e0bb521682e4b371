//! What one decode may spend: levels of nesting, elements, memory ahead of the data.

use std::cell::Cell;

use serde::de::Error;

use crate::format::MAX_DEPTH;

/// The longest sequence or map whose length is believed before its elements are there.
const MAX_AHEAD: usize = 256; // elements

/// What an element without bytes pays at least, in bytes: reading it takes time, even if it takes no memory.
const MIN_PAY: usize = 16;

/// What all of a payload may spend.
pub(crate) struct Budget {
    /// Elements of sequences and maps still to come. Each takes a byte of the payload, but for those that have no bytes.
    elements: Cell<usize>,
    /// Memory for the elements that have no bytes, in bytes.
    spare: Cell<usize>,
    /// Elements that memory may still be reserved for before they are there.
    ahead: Cell<usize>,
    /// Whether strings and bytes are to be read borrowed.
    borrow: bool,
}

impl Budget {
    /// For a payload of `payload` bytes under a bound of `limit`.
    pub(crate) fn new(payload: usize, limit: usize) -> Self {
        Self { elements: Cell::new(payload), spare: Cell::new(limit), ahead: Cell::new(payload), borrow: false }
    }

    /// Of a reader that allocates what a length claims, unless it is asked for a borrowed string.
    #[cfg(feature = "bincode")]
    pub(crate) fn borrowing(self) -> Self {
        Self { borrow: true, ..self }
    }

    #[cold]
    fn pay_without_bytes<E: Error>(&self, memory: usize) -> Result<(), E> {
        let too_many =
            || E::custom("it has more elements than bytes, and they take more memory than the codec's bound");
        self.spare.set(self.spare.get().checked_sub(memory).ok_or_else(too_many)?);
        Ok(())
    }

    /// What the payload's outermost value may spend.
    pub(crate) fn bounds(&self) -> Bounds<'_> {
        Bounds { budget: self, levels: MAX_DEPTH, paid: false, counted: true }
    }
}

/// What a value within may spend.
#[derive(Clone, Copy)]
pub(crate) struct Bounds<'b> {
    budget: &'b Budget,
    levels: usize,
    /// Whether the level has been paid for: an optional value and what it holds are one.
    paid: bool,
    /// Whether the payload says how many elements there are; otherwise the type does.
    counted: bool,
}

impl Bounds<'_> {
    /// What a sequence, a map, a struct or an enum may spend on what it holds.
    pub(crate) fn within<E: Error>(self) -> Result<Self, E> {
        if self.paid { Ok(Self { paid: false, ..self }) } else { self.deeper() }
    }

    /// What an optional value may spend on what it holds.
    pub(crate) fn optional<E: Error>(self) -> Result<Self, E> {
        self.deeper().map(|bounds| Self { paid: true, ..bounds })
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        Ok(Self { levels: self.levels.checked_sub(1).ok_or_else(too_deep)?, ..self })
    }

    /// For a value whose elements the payload counts, or its type does.
    pub(crate) fn counted(mut self, counted: bool) -> Self {
        self.counted = counted;
        self
    }

    /// Whether strings and bytes are to be read borrowed.
    pub(crate) fn borrow(self) -> bool {
        self.budget.borrow
    }

    /// Pays for one element of type `T`.
    #[inline]
    pub(crate) fn pay<T, E: Error>(self) -> Result<(), E> {
        if !self.counted {
            return Ok(());
        }
        match self.budget.elements.get().checked_sub(1) {
            Some(left) => self.budget.elements.set(left),
            None => self.budget.pay_without_bytes::<E>(size_of::<T>().max(MIN_PAY))?,
        }
        Ok(())
    }

    /// As much of a claimed length as memory may be reserved for.
    pub(crate) fn believe(self, claimed: Option<usize>) -> Option<usize> {
        let ahead = &self.budget.ahead;
        let len = claimed.filter(|len| *len <= ahead.get().min(MAX_AHEAD))?;
        ahead.set(ahead.get() - len);
        Some(len)
    }
}

#[cold]
fn too_deep<E: Error>() -> E {
    E::custom(format_args!("it is nested deeper than {MAX_DEPTH} levels"))
}
