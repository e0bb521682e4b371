//! Drives many futures of one type, so many at a time, with a fixed number of allocations.

use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::task::{Context, Poll};

use flux_core::next;
use futures_buffered::FuturesUnorderedBounded;
use pin_project_lite::pin_project;

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
    running: FuturesUnorderedBounded<Indexed<F>>,
    waiting: std::iter::Enumerate<I>,
    of: usize,
}

impl<F: Future, I: ExactSizeIterator<Item = F>> Window<F, I> {
    /// `futures`, at most `limit` at a time.
    pub(crate) fn new(futures: I, limit: Option<NonZeroUsize>) -> Self {
        let of = futures.len();
        let width = limit.map_or(of, |limit| limit.get().min(of));
        let mut window = Self { running: FuturesUnorderedBounded::new(width), waiting: futures.enumerate(), of };
        for _ in 0..width {
            window.start();
        }
        window
    }

    fn start(&mut self) {
        if let Some((index, future)) = self.waiting.next() {
            self.running.push(Indexed { index, future });
        }
    }

    /// The next output, and which it is; then starts another future.
    pub(crate) async fn next(&mut self) -> Option<(usize, F::Output)> {
        let done = next(Pin::new(&mut self.running)).await?;
        self.start();
        Some(done)
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
    let mut outputs = vacant(window.of());
    let mut failures = Vec::new();
    while let Some((index, result)) = window.next().await {
        match result {
            Ok(output) => put(&mut outputs, index, output),
            Err(error) => {
                failures.push(IndexedError { index, error });
                if on_failure == OnFailure::Stop {
                    break;
                }
            }
        }
    }
    if failures.is_empty() {
        Ok(outputs.into_iter().flatten().collect())
    } else {
        Err(FanOutError::new(failures, window.of()))
    }
}

/// Every output in order, whatever it is.
pub(crate) async fn each<F: Future, I: ExactSizeIterator<Item = F>>(mut window: Window<F, I>) -> Vec<F::Output> {
    let mut outputs = vacant(window.of());
    while let Some((index, output)) = window.next().await {
        put(&mut outputs, index, output);
    }
    outputs.into_iter().flatten().collect()
}

fn vacant<T>(count: usize) -> Vec<Option<T>> {
    std::iter::repeat_with(|| None).take(count).collect()
}

fn put<T>(outputs: &mut [Option<T>], index: usize, output: T) {
    if let Some(place) = outputs.get_mut(index) {
        *place = Some(output);
    }
}
