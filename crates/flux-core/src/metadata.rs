//! What a transport knows about one delivery.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Facts about one attempt to hand a message over, as fields: see [`Facts`].
///
/// One pointer wide, and without allocation as long as the transport knows nothing: a delivery is moved several times on its
/// way to the handler.
///
/// ```
/// use flux_core::Metadata;
///
/// let mut about = Metadata::default();
/// assert_eq!(about.delivered, None);
/// about.delivered = Some(2);
/// assert_eq!(about.delivered, Some(2));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata(Option<Box<Facts>>);

/// The fields of [`Metadata`]. Each is `None` on a transport that does not know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// The stream the message is stored in.
    pub stream: Option<Arc<str>>,
    /// The message's place in its stream, from 1.
    pub sequence: Option<u64>,
    /// How many deliveries this consumer had made when this one was made, this one included.
    pub consumer_sequence: Option<u64>,
    /// How often this message has been delivered to this consumer, this time included; from 1.
    pub delivered: Option<u64>,
    /// How many messages wait behind this one.
    pub pending: Option<u64>,
    /// When the stream stored the message.
    pub time: Option<SystemTime>,
    /// How long the transport waits for a settlement or a sign of progress before it delivers again.
    pub ack_wait: Option<Duration>,
    /// After how many deliveries the transport gives up, if it ever does.
    pub max_deliver: Option<u64>,
}

/// What is known when nothing is.
static NOTHING: Facts = Facts {
    stream: None,
    sequence: None,
    consumer_sequence: None,
    delivered: None,
    pending: None,
    time: None,
    ack_wait: None,
    max_deliver: None,
};

impl Deref for Metadata {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for Metadata {
    fn deref_mut(&mut self) -> &mut Facts {
        self.0.get_or_insert_default()
    }
}
