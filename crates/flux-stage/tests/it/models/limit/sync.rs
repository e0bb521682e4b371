//! What the limiter is built on, made of loom's parts. Time passes when somebody waits for it, and only then.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

pub(super) use loom::sync::Mutex;
pub(super) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};

loom::lazy_static! {
    static ref NOW: AtomicU64 = AtomicU64::new(0);
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Instant(u64);

impl Instant {
    pub(super) fn now() -> Self {
        Self(NOW.load(Ordering::SeqCst))
    }

    pub(super) const fn nanos(self) -> u64 {
        self.0
    }

    pub(super) fn elapsed(self) -> Duration {
        Duration::from_nanos(Self::now().0 - self.0)
    }

    pub(super) fn checked_add(self, time: Duration) -> Option<Self> {
        self.0.checked_add(u64::try_from(time.as_nanos()).ok()?).map(Self)
    }

    pub(super) fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The time is up.
pub(super) struct Elapsed;

/// `future`, if it is ready by the time that `time` has passed, which it does at once.
pub(super) async fn timeout<F: Future>(time: Duration, future: F) -> Result<F::Output, Elapsed> {
    let nanos = u64::try_from(time.as_nanos()).unwrap();
    let mut future = pin!(future);
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        NOW.fetch_add(nanos, Ordering::SeqCst);
        Poll::Ready(Err(Elapsed))
    })
    .await
}

/// `future`, before a time that is never reached.
pub(super) async fn timeout_at<F: Future>(_: Instant, future: F) -> Result<F::Output, Elapsed> {
    Ok(future.await)
}

/// A pointer that is exchanged as a whole.
pub(super) struct ArcSwap<T>(Mutex<Arc<T>>);

impl<T> ArcSwap<T> {
    pub(super) fn from_pointee(value: T) -> Self {
        Self(Mutex::new(Arc::new(value)))
    }

    pub(super) fn load(&self) -> Arc<T> {
        Arc::clone(&self.0.lock().unwrap())
    }

    pub(super) fn store(&self, value: Arc<T>) {
        *self.0.lock().unwrap() = value;
    }
}

/// Wakes all that were made before.
#[derive(Default)]
pub(super) struct Notify(Mutex<(u64, Vec<Waker>)>);

impl Notify {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn notify_waiters(&self) {
        let mut state = self.0.lock().unwrap();
        state.0 += 1;
        let wakers = std::mem::take(&mut state.1);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn notified(&self) -> impl Future<Output = ()> {
        let before = self.0.lock().unwrap().0;
        poll_fn(move |cx| {
            let mut state = self.0.lock().unwrap();
            if state.0 > before {
                return Poll::Ready(());
            }
            state.1.push(cx.waker().clone());
            Poll::Pending
        })
    }
}

/// A lock to wait for.
#[derive(Default)]
pub(super) struct Line<T>(Mutex<(bool, VecDeque<Waker>, T)>);

impl<T> Line<T> {
    pub(super) async fn lock(&self) -> First<'_, T> {
        poll_fn(|cx| {
            let mut state = self.0.lock().unwrap();
            if state.0 {
                state.1.push_back(cx.waker().clone());
                return Poll::Pending;
            }
            state.0 = true;
            Poll::Ready(First(self))
        })
        .await
    }
}

pub(super) struct First<'l, T>(&'l Line<T>);

impl<T> Drop for First<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.0.lock().unwrap();
        state.0 = false;
        let wakers = std::mem::take(&mut state.1);
        drop(state);
        // All of them: one that has left would keep the wake to itself.
        wakers.into_iter().for_each(Waker::wake);
    }
}
