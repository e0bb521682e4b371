//! Two futures, one after the other, as one state.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

pin_project! {
    /// Runs `first`, hands its result to `next`, and runs the future that `next` makes of it, if it makes one.
    #[project(!Unpin)] // else the compiler descends into the whole chain to find out, and deep ones exceed its limit
    #[must_use = "futures do nothing unless polled"]
    pub(super) struct AndThen<A, F, B> {
        #[pin]
        state: State<A, B>,
        next: F,
    }
}

pin_project! {
    #[project = StateProjection]
    #[project(!Unpin)]
    enum State<A, B> {
        First { #[pin] first: A },
        Second { #[pin] second: B },
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
    /// `next` is called once.
    #[inline]
    pub(super) fn new<R>(first: A, next: F) -> Self
    where
        A: Future,
        B: Future<Output = R>,
        F: Fn(A::Output) -> Step<B, R>,
    {
        Self { state: State::First { first }, next }
    }
}

impl<A, F, B, R> Future for AndThen<A, F, B>
where
    A: Future,
    B: Future<Output = R>,
    F: Fn(A::Output) -> Step<B, R>,
{
    type Output = R;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        let mut this = self.project();
        if let StateProjection::First { first } = this.state.as_mut().project() {
            match (this.next)(ready!(first.poll(cx))) {
                Step::Continue(second) => this.state.set(State::Second { second }),
                Step::Finish(result) => return Poll::Ready(result),
            }
        }
        match this.state.project() {
            StateProjection::Second { second } => second.poll(cx),
            StateProjection::First { .. } => unreachable!("the second has just begun"),
        }
    }
}
