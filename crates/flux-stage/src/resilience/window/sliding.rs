//! Windows that overlap.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};

pin_project! {
    /// The last items of a stream, again and again: each item is in as many windows as overlap.
    ///
    /// ```
    /// use flux_stage::Sliding;
    /// use futures_util::{StreamExt as _, stream};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let windows = Sliding::new(stream::iter(1..=6), 3, 2);
    /// assert_eq!(windows.collect::<Vec<_>>().await, [vec![1, 2, 3], vec![3, 4, 5]]);
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// Nothing is lost with a future that waits for the next window.
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct Sliding<St: Stream> {
        #[pin]
        stream: Option<St>,
        #[pin]
        timer: Option<Sleep>,
        items: VecDeque<(Instant, St::Item)>,
        shape: Shape,
    }
}

#[derive(Debug)]
enum Shape {
    /// `until` so many more items.
    Count {
        count: usize,
        step: usize,
        until: usize,
    },
    Time {
        width: Duration,
        every: Duration,
        count: usize,
    },
}

impl Shape {
    const fn count(&self) -> usize {
        match self {
            Self::Count { count, .. } | Self::Time { count, .. } => *count,
        }
    }
}

impl<St: Stream> Sliding<St> {
    /// The last `count` items, after every `step` of them; both are at least one.
    pub fn new(stream: St, count: usize, step: usize) -> Self {
        let (count, step) = (count.max(1), step.max(1));
        let shape = Shape::Count { count, step, until: count };
        Self { stream: Some(stream), timer: None, items: VecDeque::new(), shape }
    }

    /// The items of the last `width`, and no more than `count` of them, at every so much time from the first item on. A window
    /// without items is left out.
    pub fn by_time(stream: St, width: Duration, every: Duration, count: usize) -> Self {
        let shape = Shape::Time { width, every: every.max(Duration::from_millis(1)), count: count.max(1) };
        Self { stream: Some(stream), timer: None, items: VecDeque::new(), shape }
    }
}

impl<St: Stream<Item: Clone>> Stream for Sliding<St> {
    type Item = Vec<St::Item>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Vec<St::Item>>> {
        let mut this = self.project();
        while let Some(stream) = this.stream.as_mut().as_pin_mut() {
            // The time comes first, or a stream that always has an item would hold it up.
            if let Shape::Time { width, every, .. } = this.shape
                && let Some(mut timer) = this.timer.as_mut().as_pin_mut()
                && timer.as_mut().poll(cx).is_ready()
            {
                let now = timer.deadline();
                timer.reset(now + *every);
                this.items.retain(|(since, _)| now.saturating_duration_since(*since) < *width);
                if !this.items.is_empty() {
                    return Poll::Ready(Some(window(this.items)));
                }
                // The next item starts the clock again.
                this.timer.set(None);
            }
            let item = match stream.poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => {
                    this.stream.set(None);
                    continue;
                }
                Poll::Ready(Some(item)) => item,
            };
            this.items.push_back((Instant::now(), item));
            let count = this.shape.count();
            this.items.drain(..this.items.len().saturating_sub(count));
            match this.shape {
                Shape::Count { until, step, .. } => {
                    *until -= 1;
                    if *until == 0 {
                        *until = *step;
                        return Poll::Ready(Some(window(this.items)));
                    }
                }
                Shape::Time { every, .. } if this.timer.is_none() => this.timer.set(Some(sleep(*every))),
                Shape::Time { .. } => {}
            }
        }
        Poll::Ready(None)
    }
}

fn window<T: Clone>(items: &VecDeque<(Instant, T)>) -> Vec<T> {
    items.iter().map(|(_, item)| item.clone()).collect()
}
