//! Where the workers of a route take their deliveries from: one subscription, rebuilt when it breaks.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use flux_core::{Backlog, BoxFuture, ErrorKind, Result};
use futures_core::Stream;
use tokio::sync::Mutex;
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::Ladder;
use crate::event::Event;
use crate::pace::Pace;
use crate::shared::Shared;
use crate::stop::{First, race};

/// Makes the subscription anew.
pub(crate) type Subscribe<D> = Box<dyn Fn() -> BoxFuture<'static, Result<D>> + Send + Sync>;

/// One subscription and the way to renew it.
pub(crate) struct Source<D> {
    deliveries: Pin<Box<D>>,
    /// The subscription is over, and must be made anew.
    ended: bool,
    subscribe: Subscribe<D>,
    backlog: fn(&D) -> Option<Arc<dyn Backlog>>,
    shared: Arc<Shared>,
}

impl<D: Stream + Send> Source<D> {
    /// Subscribes for the first time.
    pub(crate) async fn open(
        shared: Arc<Shared>,
        subscribe: Subscribe<D>,
        backlog: fn(&D) -> Option<Arc<dyn Backlog>>,
    ) -> Result<Self> {
        let deliveries = Box::pin(subscribe().await?);
        shared.subscribed(backlog(&deliveries));
        shared.emit(&Event::Live);
        Ok(Self { deliveries, ended: false, subscribe, backlog, shared })
    }

    /// Hands the next item to `arrive` if it is there already.
    ///
    /// The item is handed on from where it was made: a delivery is some hundred bytes wide, and each return would copy it.
    #[inline]
    fn poll_now(&mut self, cx: &mut Context<'_>, mut arrive: impl FnMut(D::Item)) -> bool {
        if self.ended || self.shared.stop.is_asked() || self.shared.is_paused() {
            return false;
        }
        match self.deliveries.as_mut().poll_next(cx) {
            Poll::Ready(Some(item)) => {
                arrive(item);
                true
            }
            Poll::Ready(None) => {
                self.ended = true;
                false
            }
            Poll::Pending => false,
        }
    }

    /// Waits for the next item and hands it to `arrive`; `false` when the route is asked to stop or its transport was closed.
    async fn next(&mut self, pace: &mut Pace, mut arrive: impl FnMut(D::Item)) -> Result<bool> {
        loop {
            if self.shared.stop.is_asked() {
                return Ok(false);
            }
            if self.shared.is_paused() {
                self.shared.resumed().await;
                continue;
            }
            if self.ended && !self.rebuild().await? {
                return Ok(false);
            }
            // A publisher on another thread is likely in the middle of the next one: a turn of the others costs less than
            // going to sleep and being woken.
            yield_now().await;
            if poll_fn(|cx| Poll::Ready(self.poll_now(cx, &mut arrive))).await {
                return Ok(true);
            }
            let Self { deliveries, shared, ended, .. } = self;
            if *ended || shared.is_paused() {
                continue;
            }
            pace.rest();
            let next = poll_fn(|cx| deliveries.as_mut().poll_next(cx).map(|item| item.map(&mut arrive).is_some()));
            let next = race(pin!(next), shared.interrupted()).await;
            pace.start();
            let First::Left(more) = next else { continue };
            if more {
                return Ok(true);
            }
            *ended = true;
        }
    }

    /// Subscribes again, for as long as it takes; `false` when there is nothing to go back to.
    async fn rebuild(&mut self) -> Result<bool> {
        let Some(deliveries) = renew(&self.shared, &self.subscribe).await? else { return Ok(false) };
        self.shared.subscribed((self.backlog)(&deliveries));
        self.deliveries = Box::pin(deliveries);
        self.ended = false;
        self.shared.emit(&Event::Live);
        // A transport that ends each new subscription at once must not be asked in a hot loop.
        sleep(Duration::from_millis(10)).await;
        Ok(true)
    }
}

/// Subscribes again, for as long as it takes; `None` when the route is to stop or its transport was closed.
pub(crate) async fn renew<D>(shared: &Shared, subscribe: &Subscribe<D>) -> Result<Option<D>> {
    let ladder = Ladder::new();
    let mut attempt = 0;
    loop {
        let lost = match race(pin!(subscribe()), shared.stop.asked()).await {
            First::Right(()) => return Ok(None),
            First::Left(Ok(deliveries)) => {
                if attempt == 0 {
                    shared.emit(&Event::Lost { error: None });
                }
                return Ok(Some(deliveries));
            }
            First::Left(Err(error)) if error.kind() == ErrorKind::Closed => return Ok(None),
            First::Left(Err(error)) if !error.is_retryable() => return Err(error),
            First::Left(Err(error)) => error,
        };
        attempt += 1;
        shared.emit(&Event::Lost { error: Some(&lost) });
        if let First::Right(()) = race(pin!(sleep(ladder.delay(attempt))), shared.stop.asked()).await {
            return Ok(None);
        }
    }
}

/// A worker's access to the source: its own, or shared with the other workers.
pub(crate) enum Feed<D> {
    Own(Source<D>),
    Shared(Arc<Mutex<Source<D>>>),
}

impl<D: Stream + Send> Feed<D> {
    /// One feed a worker.
    pub(crate) fn split(source: Source<D>, workers: usize) -> Vec<Self> {
        if workers == 1 {
            return vec![Self::Own(source)];
        }
        let source = Arc::new(Mutex::new(source));
        (0..workers).map(|_| Self::Shared(Arc::clone(&source))).collect()
    }

    /// Hands the next item to `arrive` if it is there already; otherwise [`next`](Self::next) waits for it.
    #[inline]
    pub(crate) fn poll_now(&mut self, cx: &mut Context<'_>, arrive: impl FnMut(D::Item)) -> bool {
        match self {
            Self::Own(source) => source.poll_now(cx, arrive),
            Self::Shared(source) => source.try_lock().is_ok_and(|mut source| source.poll_now(cx, arrive)),
        }
    }

    /// Waits for the next item, and hands it to `arrive` before another worker can take the one after it.
    pub(crate) async fn next(&mut self, pace: &mut Pace, arrive: impl FnMut(D::Item)) -> Result<bool> {
        match self {
            Self::Own(source) => source.next(pace, arrive).await,
            Self::Shared(source) => {
                let mut source = if let Ok(source) = source.try_lock() {
                    source
                } else {
                    pace.rest();
                    let source = source.lock().await;
                    pace.start();
                    source
                };
                source.next(pace, arrive).await
            }
        }
    }
}
