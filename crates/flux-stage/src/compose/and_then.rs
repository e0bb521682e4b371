//! Two futures, one after the other, as one state.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

pin_project! {
    /// Runs `first`, hands its result to `next`, and runs the future that `next` makes of it, if it makes one.
    #[project(!Unpin)] // else the compiler descends into the whole chain to find out, and deep ones exceed its limit
    #[project = StateProjection]
    #[project_replace = StateReplaced]
    #[must_use = "futures do nothing unless polled"]
    pub(super) enum AndThen<A, F, B> {
        First { #[pin] first: A, next: F },
        Second { #[pin] second: B },
        Done,
    }
}

/// What becomes of the first result.
pub(super) enum Step<B, R> {
    /// It goes into another future.
    Continue(B),
    /// It is the end.
    Finish(R),
}

impl<A, F, B> AndThen<A, F, B> {
    #[inline]
    pub(super) fn new<R>(first: A, next: F) -> Self
    where
        A: Future,
        B: Future<Output = R>,
        F: FnOnce(A::Output) -> Step<B, R>,
    {
        Self::First { first, next }
    }
}

impl<A, F, B, R> Future for AndThen<A, F, B>
where
    A: Future,
    B: Future<Output = R>,
    F: FnOnce(A::Output) -> Step<B, R>,
{
    type Output = R;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        if let StateProjection::First { first, .. } = self.as_mut().project() {
            let output = ready!(first.poll(cx));
            let StateReplaced::First { next, .. } = self.as_mut().project_replace(Self::Done) else {
                unreachable!("the first future was just polled")
            };
            match next(output) {
                Step::Continue(second) => self.set(Self::Second { second }),
                Step::Finish(result) => return Poll::Ready(result),
            }
        }
        match self.project() {
            StateProjection::Second { second } => second.poll(cx),
            _ => panic!("polled after it was done"),
        }
    }
}
