//! The buffer inside a queue: a ring that grows up to the queue's capacity and is then used again and again.

/// Items in order. Large ones are moved in and out in place, which a `VecDeque` does by way of the stack.
pub(crate) struct Ring<M> {
    /// As many as a power of two, or none.
    slots: Vec<Option<M>>,
    head: usize,
    len: usize,
}

impl<M> Ring<M> {
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new(), head: 0, len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Moves the item out of `item` to the end.
    #[inline]
    pub(crate) fn push(&mut self, item: &mut Option<M>) {
        if self.len == self.slots.len() {
            self.grow();
        }
        let place = self.place(self.len);
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = item.take();
            self.len += 1;
        }
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<M> {
        let item = self.slots.get_mut(self.head)?.take()?;
        self.head = self.place(1);
        self.len -= 1;
        Some(item)
    }

    /// The slot this many behind the first item.
    const fn place(&self, offset: usize) -> usize {
        (self.head + offset) & self.slots.len().wrapping_sub(1)
    }

    #[cold]
    fn grow(&mut self) {
        self.slots.rotate_left(self.head);
        self.head = 0;
        let slots = (self.slots.len() * 2).max(4);
        self.slots.resize_with(slots, || None);
    }
}
