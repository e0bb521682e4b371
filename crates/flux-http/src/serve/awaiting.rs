//! How long a connection may wait for the head of a request, without a look at the clock for each of them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::Timer;
use hyper::service::Service;
use tokio::task::unconstrained;
use tokio::time::{Sleep, sleep};

/// How often one looks within the limit: what waits is cut off after the limit and up to one look more.
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
    /// Between two looks.
    interval: Duration,
    alarm: Pin<Box<Sleep>>,
    is_set: bool,
    seen: u64,
    looks: u32,
}

impl Patience {
    pub(super) fn new(heads: Heads, limit: Duration) -> Self {
        // tokio's timer counts in milliseconds.
        let interval = (limit / LOOKS).max(Duration::from_millis(1));
        Self { heads, interval, alarm: Box::pin(sleep(interval)), is_set: false, seen: 0, looks: 0 }
    }

    /// To be polled by one task only.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_set && !self.alarm.is_elapsed() {
            return Poll::Pending;
        }
        self.is_set = true;
        loop {
            // Without the task's budget: one that is used up would leave the alarm unset, and nobody would set it later.
            ready!(Pin::new(&mut unconstrained(self.alarm.as_mut())).poll(cx));
            let count = self.heads.count();
            let is_the_same = count == self.seen && count % 2 == 1;
            self.looks = if is_the_same { self.looks + 1 } else { 0 };
            self.seen = count;
            if self.looks == LOOKS {
                return Poll::Ready(());
            }
            self.alarm.set(sleep(self.interval));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;

    use tokio::task::consume_budget;
    use tokio::time::Instant;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(8);

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_after_the_limit_and_at_most_a_quarter_more() {
        for delay in 0..5 {
            let heads = Heads::default();
            let mut patience = Patience::new(heads.clone(), LIMIT);
            let waiting = tokio::spawn(poll_fn(move |cx| patience.poll(cx)));
            sleep(Duration::from_secs(delay)).await;
            let start = Instant::now();
            heads.awaited();
            waiting.await.expect("no panic");
            assert!((LIMIT..=LIMIT * 5 / 4).contains(&start.elapsed()), "{:?}", start.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn heads_that_come_and_requests_that_take_long_are_no_wait() {
        let heads = Heads::default();
        let mut patience = Patience::new(heads.clone(), LIMIT);
        let waiting = tokio::spawn(poll_fn(move |cx| patience.poll(cx)));
        for _ in 0..20 {
            heads.awaited();
            sleep(LIMIT * 7 / 8).await;
            heads.came();
        }
        sleep(LIMIT * 10).await;
        assert!(!waiting.is_finished(), "its request is still handled");
        heads.awaited();
        waiting.await.expect("no panic");
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_is_set_by_a_task_that_has_used_up_its_budget() {
        let heads = Heads::default();
        heads.awaited();
        let (mut patience, mut is_first) = (Patience::new(heads, LIMIT), true);
        let waited = poll_fn(|cx| {
            while std::mem::take(&mut is_first) {
                while pin!(consume_budget()).poll(cx).is_ready() {}
            }
            patience.poll(cx)
        });
        assert!(tokio::time::timeout(LIMIT * 2, waited).await.is_ok(), "it never goes off");
    }
}
