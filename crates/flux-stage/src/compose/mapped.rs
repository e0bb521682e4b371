//! A future whose output goes through a function.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

pin_project! {
    /// Runs `future` and hands its output to `map`, which is called once.
    #[project(!Unpin)]
    #[must_use = "futures do nothing unless polled"]
    pub(super) struct Mapped<Fut, F> {
        #[pin]
        future: Fut,
        map: F,
    }
}

impl<Fut, F> Mapped<Fut, F> {
    #[inline]
    pub(super) fn new(future: Fut, map: F) -> Self {
        Self { future, map }
    }
}

impl<Fut: Future, F: Fn(Fut::Output) -> R, R> Future for Mapped<Fut, F> {
    type Output = R;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        let this = self.project();
        this.future.poll(cx).map(this.map)
    }
}
