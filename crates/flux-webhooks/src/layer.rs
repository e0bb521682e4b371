//! The layer: signs what is published.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use flux_core::{Message, Publisher, Result, Telemetry, Typed, header};

use crate::Secrets;
use crate::signature::{self, ID, SIGNATURE, TIMESTAMP};

/// Publishes over `W` with a signature, and takes from it only what is signed, under any codec.
///
/// ```
/// # use flux_core::{Bytes, Codec, Publisher, Result};
/// use flux_webhooks::{Secret, Secrets, Webhooks};
///
/// # async fn doc<W: Publisher<Bytes>, C: Codec<f64>>(wire: W, json: C) -> Result<()> {
/// let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
/// let bus = Webhooks::new(wire, Secrets::new(secret)).typed(json);
/// bus.publish("orders.total", 9.5).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Webhooks<W> {
    pub(crate) wire: W,
    pub(crate) secrets: Arc<Secrets>,
    ids: Arc<Ids>,
}

impl<W> Webhooks<W> {
    /// Wraps a transport of bytes. What a codec or another layer makes of a payload is signed by the layer below it.
    pub fn new(wire: W, secrets: Secrets) -> Self {
        Self { wire, secrets: Arc::new(secrets), ids: Arc::new(Ids::new()) }
    }

    /// The same bus for values.
    pub fn typed<C>(self, codec: C) -> Typed<Self, C> {
        Typed::with_telemetry(self, codec, Telemetry::new("webhooks"))
    }
}

/// The id is the message's `X-Message-ID`, else a random number and a count. A message that is sent again keeps its id and gets
/// a new time.
impl<W: Publisher<Bytes>> Publisher<Bytes> for Webhooks<W> {
    type Receipt = W::Receipt;

    async fn send(&self, mut message: Message<Bytes>) -> Result<W::Receipt> {
        let known = message.headers.get(&ID).or_else(|| message.headers.get(&header::MESSAGE_ID));
        let id = known.map_or_else(|| self.ids.next(), ToOwned::to_owned);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let signature = signature::sign(&self.secrets, &id, now, &message.payload);
        message.headers.insert(ID, id)?;
        message.headers.insert(TIMESTAMP, now)?;
        message.headers.insert(SIGNATURE, signature)?;
        self.wire.send(message).await
    }

    async fn flush(&self) -> Result<()> {
        self.wire.flush().await
    }
}

/// Ids for messages that have none.
struct Ids {
    layer: u64,
    next: AtomicU64,
}

impl Ids {
    fn new() -> Self {
        // The standard library's keys of hash maps are random for each process and differ from map to map.
        Self { layer: RandomState::new().hash_one(std::process::id()), next: AtomicU64::new(0) }
    }

    fn next(&self) -> String {
        format!("msg_{:016x}{}", self.layer, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

impl<W: fmt::Debug> fmt::Debug for Webhooks<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhooks").field("wire", &self.wire).finish_non_exhaustive()
    }
}
