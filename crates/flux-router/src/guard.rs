//! Runs a handler so that nothing it does can hurt the route: panics are caught, time is limited, the transport is told
//! that it is still at work.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use flux_core::__private::panic_text;
use flux_core::{Metadata, Settle};
use tokio::time::{Instant, sleep_until};

use crate::stop::{First, race};

/// How a guarded future ended.
#[derive(Debug)]
pub(crate) enum Ended<R> {
    Done(R),
    Panicked(String),
    TimedOut(Duration),
}

/// Runs `future` to its end, or until it has taken `max_run`. Costs no timer while the future is ready at once.
pub(crate) async fn guard<F: Future + ?Sized>(
    mut future: Pin<&mut F>,
    max_run: Option<Duration>,
    heart: &mut impl Beat,
) -> Ended<F::Output> {
    let first = poll_fn(|cx| Poll::Ready(poll_caught(future.as_mut(), cx))).await;
    match first {
        Poll::Ready(ended) => ended,
        Poll::Pending => guard_waiting(future, max_run, heart).await,
    }
}

/// As [`guard`], for a future that was polled and has to wait.
pub(crate) async fn guard_waiting<F: Future + ?Sized>(
    mut future: Pin<&mut F>,
    max_run: Option<Duration>,
    heart: &mut impl Beat,
) -> Ended<F::Output> {
    let mut caught = pin!(poll_fn(|cx| poll_caught(future.as_mut(), cx)));
    let started = Instant::now();
    let deadline = max_run.map(|max| started + max);
    let beat = heart.ack_wait().map(|wait| (wait / 3).max(Duration::from_millis(1)));
    let mut next_beat = beat.map(|beat| started + beat);
    loop {
        let Some(wake) = next_beat.into_iter().chain(deadline).min() else { return caught.await };
        match race(caught.as_mut(), sleep_until(wake)).await {
            First::Left(ended) => return ended,
            First::Right(()) if deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                return Ended::TimedOut(max_run.unwrap_or_default());
            }
            First::Right(()) => {
                next_beat = beat.map(|beat| Instant::now() + beat);
                // A sign of life that was lost is made good by the next one.
                if let First::Left(ended) = race(caught.as_mut(), heart.beat()).await {
                    return ended;
                }
            }
        }
    }
}

/// Polls once; a panic is an end like another.
#[inline]
pub(crate) fn poll_caught<F: Future + ?Sized>(
    future: Pin<&mut F>,
    cx: &mut std::task::Context<'_>,
) -> Poll<Ended<F::Output>> {
    match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
        Ok(poll) => poll.map(Ended::Done),
        Err(payload) => Poll::Ready(Ended::Panicked(panic_text(payload.as_ref()).to_owned())),
    }
}

/// Runs code of the user's that is no future: a conversion, a listener, the text of an error.
///
/// # Errors
/// What the panic said.
pub(crate) fn caught<R>(run: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| panic_text(payload.as_ref()).to_owned())
}

/// The text of an error, even of one that cannot be printed.
pub(crate) fn text_of(error: &impl ToString) -> String {
    caught(|| error.to_string()).unwrap_or_else(|panic| format!("the error panicked when it was printed: {panic}"))
}

/// Tells a transport that a delivery is still being worked on.
pub(crate) trait Beat: Send {
    /// How long the transport waits for a sign of life; it gets one every third of that.
    fn ack_wait(&self) -> Option<Duration>;
    fn beat(&mut self) -> impl Future<Output = ()> + Send;
}

/// The acker of a delivery, and what is known of the delivery.
pub(crate) struct Acking<'a, A>(pub(crate) Option<&'a mut A>, pub(crate) &'a Metadata);

impl<A: Settle> Beat for Acking<'_, A> {
    fn ack_wait(&self) -> Option<Duration> {
        self.1.ack_wait
    }

    fn beat(&mut self) -> impl Future<Output = ()> + Send {
        let sent = self.0.as_ref().map(|acker| acker.keep_alive());
        async move {
            if let Some(sent) = sent {
                let _ = sent.await;
            }
        }
    }
}

/// Nobody has to be told.
pub(crate) struct Silent;

impl Beat for Silent {
    fn ack_wait(&self) -> Option<Duration> {
        None
    }

    fn beat(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}
