//! Windows one after the other.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

pin_project! {
    /// Cuts a stream into windows of so many items: each item is in one of them. The last one may have fewer.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use flux_stage::Tumbling;
    /// use futures_util::{StreamExt as _, stream};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let windows = Tumbling::new(stream::iter(1..=5), 2).with_interval(Duration::from_secs(1));
    /// assert_eq!(windows.collect::<Vec<_>>().await, [vec![1, 2], vec![3, 4], vec![5]]);
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// Items of a window that is not full are lost with the stream, not with a future that waits for the next window.
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct Tumbling<St: Stream> {
        #[pin]
        stream: Option<St>,
        #[pin]
        timer: Option<Sleep>,
        window: Vec<St::Item>,
        count: usize,
        interval: Option<Duration>,
    }
}

impl<St: Stream> Tumbling<St> {
    /// Windows of `count` items, at least one.
    pub const fn new(stream: St, count: usize) -> Self {
        let count = if count == 0 { 1 } else { count };
        Self { stream: Some(stream), timer: None, window: Vec::new(), count, interval: None }
    }

    /// A window also ends when so much time has passed since its first item. There is no such limit by default.
    pub const fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }
}

impl<St: Stream> Stream for Tumbling<St> {
    type Item = Vec<St::Item>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Vec<St::Item>>> {
        let mut this = self.project();
        while let Some(stream) = this.stream.as_mut().as_pin_mut() {
            match stream.poll_next(cx) {
                Poll::Ready(Some(item)) => {
                    if this.window.is_empty() {
                        this.timer.set(this.interval.map(sleep));
                    }
                    this.window.push(item);
                    if this.window.len() >= *this.count {
                        return Poll::Ready(Some(mem::take(this.window)));
                    }
                }
                Poll::Ready(None) => this.stream.set(None),
                Poll::Pending => {
                    let timer = this.timer.as_mut().as_pin_mut();
                    let is_due = !this.window.is_empty() && timer.is_some_and(|timer| timer.poll(cx).is_ready());
                    return if is_due { Poll::Ready(Some(mem::take(this.window))) } else { Poll::Pending };
                }
            }
        }
        Poll::Ready((!this.window.is_empty()).then(|| mem::take(this.window)))
    }
}
