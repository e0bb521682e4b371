//! Windows that end with a pause.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

pin_project! {
    /// Cuts a stream where nothing came for a while: what lies between two pauses is one window.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use flux_stage::Session;
    /// use futures_util::{StreamExt as _, stream};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let sessions = Session::new(stream::iter(1..=3), Duration::from_secs(30));
    /// assert_eq!(sessions.collect::<Vec<_>>().await, [vec![1, 2, 3]]);
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// Items of a window that has not ended are lost with the stream, not with a future that waits for the next window.
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct Session<St: Stream> {
        #[pin]
        stream: Option<St>,
        #[pin]
        timer: Option<Sleep>,
        window: Vec<St::Item>,
        gap: Duration,
        count: usize,
    }
}

impl<St: Stream> Session<St> {
    /// A window ends after `gap` without an item, or with its ten-thousandth.
    pub const fn new(stream: St, gap: Duration) -> Self {
        Self { stream: Some(stream), timer: None, window: Vec::new(), gap, count: 10_000 }
    }

    /// A window that never pauses ends with so many items, at least one. The default is 10,000.
    pub const fn with_count(mut self, at_most: usize) -> Self {
        self.count = if at_most == 0 { 1 } else { at_most };
        self
    }
}

impl<St: Stream> Stream for Session<St> {
    type Item = Vec<St::Item>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Vec<St::Item>>> {
        let mut this = self.project();
        while let Some(stream) = this.stream.as_mut().as_pin_mut() {
            match stream.poll_next(cx) {
                Poll::Ready(Some(item)) => {
                    this.window.push(item);
                    this.timer.set(Some(sleep(*this.gap)));
                    if this.window.len() >= *this.count {
                        return Poll::Ready(Some(mem::take(this.window)));
                    }
                }
                Poll::Ready(None) => this.stream.set(None),
                Poll::Pending => {
                    let timer = this.timer.as_mut().as_pin_mut();
                    let is_over = !this.window.is_empty() && timer.is_some_and(|timer| timer.poll(cx).is_ready());
                    return if is_over { Poll::Ready(Some(mem::take(this.window))) } else { Poll::Pending };
                }
            }
        }
        Poll::Ready((!this.window.is_empty()).then(|| mem::take(this.window)))
    }
}
