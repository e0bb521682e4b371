//! Lets deliveries with the same key take turns, in the order they were taken.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::future::poll_fn;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use flux_core::{BoxFuture, Message};
use tokio::sync::{Mutex as Turns, OwnedMutexGuard};

use crate::guard::caught;

/// From a message to the hash of its key. Different keys with the same hash take turns too, which costs time only.
#[derive(Clone)]
pub(crate) struct KeyOf<T>(Arc<HashOf<T>>);

type HashOf<T> = dyn Fn(&Message<T>) -> u64 + Send + Sync;

impl<T> KeyOf<T> {
    pub(crate) fn new<K: Hash>(key: impl Fn(&Message<T>) -> K + Send + Sync + 'static) -> Self {
        let hasher = RandomState::new();
        Self(Arc::new(move |message| hasher.hash_one(key(message))))
    }

    /// # Errors
    /// The text of the panic, when the key function does not know what to do with this message.
    pub(crate) fn hash(&self, message: &Message<T>) -> Result<u64, String> {
        caught(|| (self.0)(message))
    }
}

impl<T> fmt::Debug for KeyOf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyOf")
    }
}

/// The lines in which deliveries of one route wait, one a key.
#[derive(Debug, Default)]
pub(crate) struct KeyOrder(Mutex<HashMap<u64, Line>>);

#[derive(Debug, Default)]
struct Line {
    turns: Arc<Turns<()>>,
    waiting: usize,
}

/// A place in line. Dropping it leaves the line.
pub(crate) struct Turn {
    order: Arc<KeyOrder>,
    key: u64,
    state: Option<Place>,
}

enum Place {
    Waiting(BoxFuture<'static, OwnedMutexGuard<()>>),
    Mine(#[expect(dead_code, reason = "held until the turn is over")] OwnedMutexGuard<()>),
}

impl KeyOrder {
    /// Joins the line of `key`. Whoever joins first goes first.
    pub(crate) fn join(self: &Arc<Self>, key: u64) -> Turn {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.entry(key).or_default();
        line.waiting += 1;
        let mut waiting: BoxFuture<'static, _> = Box::pin(Arc::clone(&line.turns).lock_owned());
        // The first poll takes the place in line.
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let state = match waiting.as_mut().poll(&mut cx) {
            Poll::Ready(guard) => Place::Mine(guard),
            Poll::Pending => Place::Waiting(waiting),
        };
        Turn { order: Arc::clone(self), key, state: Some(state) }
    }
}

impl Turn {
    /// Waits until it is this delivery's turn.
    pub(crate) async fn come(&mut self) {
        if let Some(Place::Waiting(waiting)) = &mut self.state {
            let guard = poll_fn(|cx| waiting.as_mut().poll(cx)).await;
            self.state = Some(Place::Mine(guard));
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.state = None;
        let mut lines = self.order.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut line) = lines.entry(self.key) {
            line.get_mut().waiting -= 1;
            if line.get().waiting == 0 {
                line.remove();
            }
        }
    }
}
