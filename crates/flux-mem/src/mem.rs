//! The bus itself.

use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use flux_core::{Error, ErrorKind, Result, SubjectFilter, Telemetry, Typed};

use crate::config::MemConfig;
use crate::queue::Close;
use crate::receiver::Receiver;
use crate::registry::{Item, Registry};
use crate::wakes::Wakes;

/// A bus within the process. It carries values of any type, and moves them.
///
/// A `Mem` is a handle: clones are the same bus. When the last one is dropped nothing can be published any more, and
/// every stream ends as after [`close`](Self::close).
///
/// Each type has subscribers of its own. Publishing a type that nobody on the subject takes while others there listen for
/// another type is [`ErrorKind::TypeMismatch`] for the publisher, and for those others an error in their streams; both
/// name both types. As soon as one subscriber takes the type, those of other types are not told: they may belong to
/// another conversation under a wide filter.
#[derive(Clone)]
pub struct Mem(Arc<Owner>);

/// Closes the bus when the last handle goes. Streams hold the bus without it.
struct Owner(Arc<Shared>);

/// What handles and streams share. In cache lines of its own: every publisher locks the table, which must not slow down who
/// happens to lie next to it in memory, nor be slowed down by it.
#[repr(align(128))]
pub(crate) struct Shared {
    registry: RwLock<Registry>,
    pub(crate) config: MemConfig,
    pub(crate) telemetry: Telemetry,
    pub(crate) dropped: AtomicU64,
    /// Whose turn it is among several responders.
    pub(crate) turn: AtomicU64,
}

impl Mem {
    /// A bus with the defaults of [`MemConfig`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_config(MemConfig::new())
    }

    /// A bus with these options.
    #[must_use]
    pub fn with_config(config: MemConfig) -> Self {
        Self(Arc::new(Owner(Arc::new(Shared {
            registry: RwLock::default(),
            config,
            telemetry: Telemetry::new("mem"),
            dropped: AtomicU64::new(0),
            turn: AtomicU64::new(0),
        }))))
    }

    /// The options.
    #[must_use]
    pub fn config(&self) -> &MemConfig {
        &self.0.0.config
    }

    /// This bus with payloads encoded by `codec`, as on a wire. It shares only the type [`Bytes`](flux_core::Bytes) with the bus of values.
    #[must_use]
    pub fn typed<C>(&self, codec: C) -> Typed<Self, C> {
        Typed::with_telemetry(self.clone(), codec, Telemetry::new("mem"))
    }

    /// How many messages were dropped because a queue was full, on the whole bus since it began. A message dropped for two
    /// subscriptions counts twice.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.0.dropped.load(Ordering::Relaxed)
    }

    /// Closes the bus for all handles, and waits until the streams have handed over what was queued or were dropped.
    ///
    /// From the call on, publishing, subscribing and asking fail with [`ErrorKind::Closed`]; so does a publisher that waits
    /// for room. Streams hand over what was queued and then end. Closing again waits again and does no harm.
    ///
    /// # Cancel safety
    /// A dropped future stops waiting; the bus stays closed.
    pub async fn close(&self) {
        for queue in self.0.0.close() {
            poll_fn(|cx| queue.poll_drained(cx)).await;
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }
}

impl Shared {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Registry> {
        self.registry.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Registry> {
        self.registry.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn join<M: Item>(self: &Arc<Self>, filter: &str, group: Option<&str>) -> Result<Receiver<M>> {
        let filter = SubjectFilter::new(filter)?;
        let mut registry = self.write();
        if registry.closed {
            return Err(closed());
        }
        let (queue, member) = registry.join(&filter, group, self.config.capacity.get());
        drop(registry);
        Ok(Receiver::new(Arc::clone(self), queue, member, filter))
    }

    fn close(&self) -> Vec<Arc<dyn Close>> {
        let mut registry = self.write();
        registry.closed = true;
        let queues = registry.queues();
        drop(registry);
        for queue in &queues {
            let mut wakes = Wakes::new();
            queue.close(&mut wakes);
            wakes.wake();
        }
        queues
    }
}

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the bus is closed")
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Default for Mem {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Mem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mem").field("config", self.config()).finish_non_exhaustive()
    }
}
