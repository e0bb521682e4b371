//! Drives many futures of one type, so many at a time, with a fixed number of allocations.

use std::future::{Future, poll_fn};
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_buffered::FuturesUnorderedBounded;
use futures_core::Stream as _;
use pin_project_lite::pin_project;

use super::ordered::Ordered;
use super::slots::{self, Slots};
use crate::{FanOutError, IndexedError};

pin_project! {
    /// A future and its place among the others.
    struct Indexed<F> {
        index: usize,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Indexed<F> {
    type Output = (usize, F::Output);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.future.poll(cx).map(|output| (*this.index, output))
    }
}

/// What is run, and how many of it at a time.
pub(crate) struct Window<F, I> {
    running: Running<F>,
    waiting: std::iter::Enumerate<I>,
    of: usize,
}

/// Few are polled all when one is woken; of many, only those that are.
enum Running<F> {
    Few(Slots<Indexed<F>>),
    Many(FuturesUnorderedBounded<Indexed<F>>),
}

impl<F: Future, I: ExactSizeIterator<Item = F>> Window<F, I> {
    /// `futures`, at most `limit` at a time.
    pub(crate) fn new(futures: I, limit: Option<NonZeroUsize>) -> Self {
        let of = futures.len();
        let width = limit.map_or(of, |limit| limit.get().min(of));
        let running = if width <= slots::WIDTH {
            Running::Few(Slots::new(width))
        } else {
            Running::Many(FuturesUnorderedBounded::new(width))
        };
        let mut window = Self { running, waiting: futures.enumerate(), of };
        for _ in 0..width {
            window.start();
        }
        window
    }

    /// Lets the next one begin, if one is waiting.
    pub(crate) fn start(&mut self) {
        if let Some((index, future)) = self.waiting.next() {
            let future = Indexed { index, future };
            match &mut self.running {
                Running::Few(slots) => slots.push(future),
                Running::Many(futures) => futures.push(future),
            }
        }
    }

    /// The next output, and which it is.
    pub(crate) async fn next(&mut self) -> Option<(usize, F::Output)> {
        poll_fn(|cx| match &mut self.running {
            Running::Few(slots) => slots.poll_next(cx),
            Running::Many(futures) => Pin::new(futures).poll_next(cx),
        })
        .await
    }

    /// How many there are in all.
    pub(crate) fn of(&self) -> usize {
        self.of
    }
}

/// What a failure does to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// They go on, and every failure is reported.
    Collect,
    /// They are dropped where they are.
    Stop,
}

/// All outputs in order, or what failed.
pub(crate) async fn all<F, I, T, E>(mut window: Window<F, I>, on_failure: OnFailure) -> Result<Vec<T>, FanOutError<E>>
where
    F: Future<Output = Result<T, E>>,
    I: ExactSizeIterator<Item = F>,
{
    let mut outputs = Ordered::new(window.of());
    let mut failures = Vec::new();
    while let Some((index, result)) = window.next().await {
        match result {
            Ok(output) => outputs.put(index, output),
            Err(error) => {
                failures.push(IndexedError { index, error });
                if on_failure == OnFailure::Stop {
                    break;
                }
            }
        }
        window.start();
    }
    if failures.is_empty() { Ok(outputs.into_vec()) } else { Err(FanOutError::new(failures, window.of())) }
}

/// Every output in order, whatever it is.
pub(crate) async fn each<F: Future, I: ExactSizeIterator<Item = F>>(mut window: Window<F, I>) -> Vec<F::Output> {
    let mut outputs = Ordered::new(window.of());
    while let Some((index, output)) = window.next().await {
        outputs.put(index, output);
        window.start();
    }
    outputs.into_vec()
}
