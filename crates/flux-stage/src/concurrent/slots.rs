//! A few pinned futures in one allocation, without a waker for each.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

/// As many as fit. More are driven with a waker each, because a wake polls all that are here.
pub(crate) const WIDTH: usize = 16;

macro_rules! slots {
    ($name:ident: $($field:ident = $index:literal)*) => {
        pin_project! {
            struct $name<F> {
                $(#[pin] $field: Option<F>,)*
            }
        }

        impl<F> $name<F> {
            fn boxed() -> Pin<Box<Self>> {
                Box::pin(Self { $($field: None,)* })
            }

            fn slot(self: Pin<&mut Self>, index: usize) -> Option<Pin<&mut Option<F>>> {
                let this = self.project();
                match index {
                    $($index => Some(this.$field),)*
                    _ => None,
                }
            }
        }
    };
}

slots!(Four: a = 0 b = 1 c = 2 d = 3);
slots!(Sixteen: a = 0 b = 1 c = 2 d = 3 e = 4 f = 5 g = 6 h = 7 i = 8 j = 9 k = 10 l = 11 m = 12 n = 13 o = 14 p = 15);

/// Memory is in proportion to what is asked for, roughly: futures can be large.
enum Storage<F> {
    Four(Pin<Box<Four<F>>>),
    Sixteen(Pin<Box<Sixteen<F>>>),
}

/// Up to [`WIDTH`] futures.
pub(crate) struct Slots<F> {
    storage: Storage<F>,
    /// The slots that hold a future, as bits.
    running: u16,
    /// Those of them that have not been polled since the task was woken.
    unpolled: u16,
}

impl<F: Future> Slots<F> {
    pub(crate) fn new(width: usize) -> Self {
        let storage = if width <= 4 { Storage::Four(Four::boxed()) } else { Storage::Sixteen(Sixteen::boxed()) };
        Self { storage, running: 0, unpolled: 0 }
    }

    fn slot(&mut self, slot: usize) -> Option<Pin<&mut Option<F>>> {
        match &mut self.storage {
            Storage::Four(four) => four.as_mut().slot(slot),
            Storage::Sixteen(sixteen) => sixteen.as_mut().slot(slot),
        }
    }

    /// Takes a future in. There must be a free slot.
    pub(crate) fn push(&mut self, future: F) {
        let slot = self.running.trailing_ones() as usize;
        self.slot(slot).expect("no more than the width are pushed").set(Some(future));
        self.running |= 1 << slot;
        self.unpolled |= 1 << slot;
    }

    /// The next output; `None` when there is no future.
    ///
    /// Once it has given an output, call it again in the same poll of the task, until it is pending: those it has passed
    /// over wake the task that polled them.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        if self.running == 0 {
            return Poll::Ready(None);
        }
        while self.unpolled != 0 {
            let slot = self.unpolled.trailing_zeros() as usize;
            self.unpolled &= self.unpolled - 1;
            let Some(mut place) = self.slot(slot) else { continue };
            let Some(future) = place.as_mut().as_pin_mut() else { continue };
            if let Poll::Ready(output) = future.poll(cx) {
                place.set(None);
                self.running &= !(1 << slot);
                return Poll::Ready(Some(output));
            }
        }
        // All have the task's waker: whoever wakes it next may be any of them.
        self.unpolled = self.running;
        Poll::Pending
    }
}
