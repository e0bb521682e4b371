//! Handling where a message arrives: on the task that received it.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use crate::{BoxFuture, Delivery, Result};

/// What is called with each request that arrives; see [`Responder::listen_inline`](crate::Responder::listen_inline).
pub type OnArrival<Req, R> = Arc<dyn Fn(Result<Delivery<Req, R>>) -> BoxFuture<'static, ()> + Send + Sync>;

/// That requests are handled where they arrive. Dropped, it withdraws; requests that are being handled are still answered.
#[must_use = "dropped, it withdraws"]
pub struct Registration {
    withdraw: Option<Box<dyn FnOnce() + Send>>,
    ended: Option<BoxFuture<'static, ()>>,
}

impl Registration {
    /// For a transport: `withdraw` has it take no more requests; `ended` is done when it takes none and the last one is answered.
    pub fn new<W, E>(withdraw: W, ended: E) -> Self
    where
        W: FnOnce() + Send + 'static,
        E: Future<Output = ()> + Send + 'static,
    {
        Self { withdraw: Some(Box::new(withdraw)), ended: Some(Box::pin(ended)) }
    }

    /// Takes no more requests; requesters who wait for their turn are told. Once more changes nothing.
    pub fn withdraw(&mut self) {
        if let Some(withdraw) = self.withdraw.take() {
            withdraw();
        }
    }

    /// Waits until it was withdrawn, or its transport closed, and all that was taken is answered.
    ///
    /// # Cancel safety
    /// Safe; call it again.
    pub async fn ended(&mut self) {
        let Some(ended) = &mut self.ended else { return };
        poll_fn(|cx| ended.as_mut().poll(cx)).await;
        self.ended = None;
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.withdraw();
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("is_withdrawn", &self.withdraw.is_none()).finish_non_exhaustive()
    }
}
