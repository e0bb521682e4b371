//! How long a connection may wait for the head of a request, without a look at the clock for each of them.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use flux_core::BoxFuture;
use hyper::rt::Timer;
use hyper::service::Service;
use tokio::sync::watch;
use tokio::task::unconstrained;

/// How often one looks within the limit.
const LOOKS: u32 = 4;

/// The heads that a connection has begun to wait for, and those that came: an odd number while it waits.
///
/// Only the connection's task writes to it; that it is shared is for the parts of the task.
#[derive(Clone, Default)]
pub(super) struct Heads(Arc<AtomicU64>);

impl Heads {
    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn awaited(&self) {
        self.0.store(self.count() | 1, Ordering::Relaxed);
    }

    fn came(&self) {
        self.0.store((self.count() | 1).wrapping_add(1), Ordering::Relaxed);
    }
}

/// What hyper takes for its timer: it tells when hyper begins to wait for a head. The wait itself has [`Patience`].
pub(super) struct Told {
    pub(super) heads: Heads,
    /// hyper adds to it, and looks at the sum no more.
    pub(super) now: Instant,
}

impl Timer for Told {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.heads.awaited();
        Box::pin(Never)
    }

    fn sleep_until(&self, _: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep(Duration::ZERO)
    }

    fn now(&self) -> Instant {
        self.now
    }
}

/// Nothing, so that a box of it takes no memory.
struct Never;

impl Future for Never {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl hyper::rt::Sleep for Never {}

/// A service that tells when a head has come.
pub(super) struct Telling<S> {
    pub(super) service: S,
    pub(super) heads: Heads,
}

impl<R, S: Service<R>> Service<R> for Telling<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, request: R) -> S::Future {
        self.heads.came();
        self.service.call(request)
    }
}

/// Ready when a head was waited for too long.
pub(super) struct Patience {
    heads: Heads,
    ticks: watch::Receiver<()>,
    /// Ready at the next tick.
    next: BoxFuture<'static, ()>,
    is_set: bool,
    seen: u64,
    looks: u32,
}

impl Patience {
    /// Looks at each of the `ticks`, which are [`interval`] apart.
    pub(super) fn new(heads: Heads, ticks: watch::Receiver<()>) -> Self {
        let next = tick(ticks.clone());
        Self { heads, ticks, next, is_set: false, seen: 0, looks: 0 }
    }

    /// To be polled by one task only.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Most polls are about the request, and end here.
        if self.is_set && !self.ticks.has_changed().unwrap_or(false) {
            return Poll::Pending;
        }
        self.is_set = true;
        loop {
            ready!(self.next.as_mut().poll(cx));
            self.ticks.mark_unchanged();
            self.next = tick(self.ticks.clone());
            let count = self.heads.count();
            let is_the_same = count == self.seen && count % 2 == 1;
            self.looks = if is_the_same { self.looks + 1 } else { 0 };
            self.seen = count;
            if self.looks == LOOKS {
                return Poll::Ready(());
            }
        }
    }
}

/// Between two looks, so that what waits is cut off after the limit and up to a quarter more.
pub(super) fn interval(limit: Duration) -> Duration {
    (limit / LOOKS).max(Duration::from_millis(1))
}

fn tick(mut ticks: watch::Receiver<()>) -> BoxFuture<'static, ()> {
    // Without the task's budget: one that is used up would have it wait for the tick after.
    Box::pin(unconstrained(async move {
        if ticks.changed().await.is_err() {
            pending::<()>().await;
        }
    }))
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;

    use tokio::task::{consume_budget, yield_now};

    use super::*;

    /// A connection under watch, and how many ticks it takes until it is given up.
    struct Watched {
        heads: Heads,
        ticking: watch::Sender<()>,
        waiting: tokio::task::JoinHandle<()>,
    }

    impl Watched {
        async fn start() -> Self {
            let (heads, (ticking, ticks)) = (Heads::default(), watch::channel(()));
            let mut patience = Patience::new(heads.clone(), ticks);
            let waiting = tokio::spawn(poll_fn(move |cx| patience.poll(cx)));
            yield_now().await;
            Self { heads, ticking, waiting }
        }

        async fn is_given_up_after_a_tick(&self) -> bool {
            self.ticking.send_replace(());
            yield_now().await;
            self.waiting.is_finished()
        }
    }

    #[tokio::test]
    async fn a_wait_ends_after_the_limit_and_at_most_one_look_more() {
        for before in 0..3 {
            let watched = Watched::start().await;
            for _ in 0..before {
                assert!(!watched.is_given_up_after_a_tick().await);
            }
            watched.heads.awaited();
            for look in 0..LOOKS {
                assert!(!watched.is_given_up_after_a_tick().await, "tick {look} comes before the limit");
            }
            assert!(watched.is_given_up_after_a_tick().await);
        }
    }

    #[tokio::test]
    async fn heads_that_come_and_requests_that_take_long_are_no_wait() {
        let watched = Watched::start().await;
        for _ in 0..20 {
            watched.heads.awaited();
            for _ in 0..LOOKS {
                assert!(!watched.is_given_up_after_a_tick().await);
            }
            watched.heads.came();
        }
        for _ in 0..10 * LOOKS {
            assert!(!watched.is_given_up_after_a_tick().await, "its request is still handled");
        }
    }

    #[tokio::test]
    async fn a_task_that_has_used_up_its_budget_still_hears_the_ticks() {
        let (heads, (ticking, ticks)) = (Heads::default(), watch::channel(()));
        heads.awaited();
        let mut patience = Patience::new(heads, ticks);
        let waiting = tokio::spawn(poll_fn(move |cx| {
            while pin!(consume_budget()).poll(cx).is_ready() {}
            patience.poll(cx)
        }));
        for _ in 0..=LOOKS {
            yield_now().await;
            ticking.send_replace(());
        }
        tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("it hears them").expect("no panic");
    }
}
