//! Which metrics the current call reports to, so that stages inside a `Metered` find it without being told.

use std::cell::RefCell;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::metrics::StageMetrics;

thread_local! {
    static CURRENT: RefCell<Option<StageMetrics>> = const { RefCell::new(None) };
}

/// The metrics of a call: those of the innermost `Metered` around it, if any.
pub(crate) struct Current(Option<StageMetrics>);

impl Current {
    pub(super) fn of(metrics: &StageMetrics) -> Self {
        Self(Some(metrics.clone()))
    }

    /// Those of whoever calls.
    pub(crate) fn get() -> Self {
        Self(CURRENT.with_borrow(Clone::clone))
    }

    pub(super) fn into_metrics(self) -> Option<StageMetrics> {
        self.0
    }

    /// Runs `future` as a part of the call.
    pub(crate) fn run<F: Future>(self, future: F) -> Reporting<F> {
        Reporting { future, metrics: self.0 }
    }
}

pin_project! {
    /// A future whose stages report to these metrics.
    #[must_use = "futures do nothing unless polled"]
    pub(crate) struct Reporting<F> {
        #[pin]
        future: F,
        metrics: Option<StageMetrics>,
    }
}

/// The metrics of a call and those of the thread, exchanged until this is dropped.
struct Exchanged<'m>(&'m mut Option<StageMetrics>);

impl<'m> Exchanged<'m> {
    fn new(metrics: &'m mut Option<StageMetrics>) -> Self {
        CURRENT.with_borrow_mut(|current| mem::swap(current, metrics));
        Self(metrics)
    }
}

impl Drop for Exchanged<'_> {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|current| mem::swap(current, self.0));
    }
}

impl<F: Future> Future for Reporting<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _exchanged = Exchanged::new(this.metrics);
        this.future.poll(cx)
    }
}
