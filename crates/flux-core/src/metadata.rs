//! What a transport knows about one delivery.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Facts about one attempt to hand a message over. Each is `None` on a transport that does not know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
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
