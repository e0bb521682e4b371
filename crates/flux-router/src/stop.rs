//! A request to stop that every worker sees, and the race against it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use tokio::sync::Notify;

/// Set once, seen by all.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    asked: AtomicBool,
    /// Whether every route of the router has begun to receive.
    live: AtomicBool,
    notify: Notify,
}

impl Stop {
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        self.notify.notify_waiters();
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    /// From now on handlers may be called: what they send finds whoever is to get it.
    pub(crate) fn go_live(&self) {
        self.live.store(true, Ordering::Release);
        self.nudge();
    }

    pub(crate) fn is_live(&self) -> bool {
        self.live.load(Ordering::Acquire)
    }

    pub(crate) async fn asked(&self) {
        self.asked_or(|| false).await;
    }

    /// Waits until asked to stop or until `reason` holds, which is looked at anew after each [`nudge`](Self::nudge).
    pub(crate) async fn asked_or(&self, reason: impl Fn() -> bool) {
        loop {
            let mut notified = pin!(self.notify.notified());
            notified.as_mut().enable();
            if self.is_asked() || reason() {
                return;
            }
            notified.await;
        }
    }

    /// Lets everybody who waits look again.
    pub(crate) fn nudge(&self) {
        self.notify.notify_waiters();
    }
}

/// Which of two futures was done first.
pub(crate) enum First<A, B> {
    Left(A),
    Right(B),
}

/// Polls both, the left one first.
pub(crate) async fn race<A, B>(mut left: Pin<&mut A>, right: B) -> First<A::Output, B::Output>
where
    A: Future + ?Sized,
    B: Future,
{
    let mut right = pin!(right);
    poll_fn(|cx| {
        if let Poll::Ready(output) = left.as_mut().poll(cx) {
            return Poll::Ready(First::Left(output));
        }
        right.as_mut().poll(cx).map(First::Right)
    })
    .await
}
