//! What JetStream puts on the wire, as values: places in a stream, status messages, requests, receipts. No I/O.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_nats::header::HeaderMap;
use bytes::Bytes;
use flux_core::{Headers, Message, Metadata, Result, header};
use flux_nats::Nats;
use flux_nats::wire::Subjects;
use serde::Deserialize;

use crate::error::{ServerError, unreadable};

/// By this header the server deduplicates.
pub(crate) const MESSAGE_ID: &str = "Nats-Msg-Id";

const NATIVE_ID: async_nats::HeaderName = async_nats::HeaderName::from_static(MESSAGE_ID);

/// Instructions to the server that stored a message. They must not act again when the message is passed on.
const INSTRUCTIONS: [&str; 18] = [
    MESSAGE_ID,
    "Nats-Batch-Commit",
    "Nats-Batch-Id",
    "Nats-Batch-Sequence",
    "Nats-Expected-Last-Msg-Id",
    "Nats-Expected-Last-Sequence",
    "Nats-Expected-Last-Subject-Sequence",
    "Nats-Expected-Last-Subject-Sequence-Subject",
    "Nats-Expected-Stream",
    "Nats-Required-Api-Level",
    "Nats-Rollup",
    "Nats-Schedule",
    "Nats-Schedule-Rollup",
    "Nats-Schedule-Source",
    "Nats-Schedule-Target",
    "Nats-Schedule-Time-Zone",
    "Nats-Schedule-TTL",
    "Nats-TTL",
];

/// The headers of a message to be published, with the id by which the server deduplicates.
pub(crate) fn headers(nats: &Nats, message: &Message<Bytes>) -> Option<HeaderMap> {
    let mut map = nats.headers(&message.headers)?;
    set_id(&mut map, message);
    Some(map)
}

fn set_id(map: &mut HeaderMap, message: &Message<Bytes>) {
    if let Some(id) = message.deduplication_id()
        && !message.headers.contains(MESSAGE_ID)
    {
        map.insert(NATIVE_ID, &*id);
    }
}

/// A message that was delivered. An id that only the server was told is the message's id.
pub(crate) fn message(subjects: &mut Subjects, native: async_nats::Message) -> Result<Message<Bytes>> {
    let mut message = subjects.message(native)?;
    let headers = &message.headers;
    if !headers.iter().any(|(name, _)| name.starts_with("Nats-")) {
        return Ok(message);
    }
    if let Some(id) = headers.get(MESSAGE_ID)
        && !headers.contains(&header::MESSAGE_ID)
    {
        let id = id.to_owned();
        message.headers.insert(header::MESSAGE_ID, id)?;
    }
    strip(&mut message.headers);
    Ok(message)
}

fn strip(headers: &mut Headers) {
    let instruction = |name: &str| INSTRUCTIONS.into_iter().find(|known| known.eq_ignore_ascii_case(name));
    loop {
        let found = headers.iter().find_map(|(name, _)| instruction(name));
        let Some(found) = found else { return };
        headers.remove(found);
    }
}

/// What the reply subject of a delivery says (ADR-15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) delivered: u64,
    pub(crate) sequence: u64,
    pub(crate) consumer_sequence: u64,
    pub(crate) pending: u64,
    pub(crate) time: SystemTime,
}

impl Place {
    /// Reads `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<consumer sequence>.<nanoseconds>.<pending>`, also with a
    /// domain and an account before the stream.
    pub(crate) fn read(reply: &str) -> Option<Self> {
        let rest = reply.strip_prefix("$JS.ACK.")?;
        let skipped = if rest.bytes().filter(|byte| *byte == b'.').count() >= 8 { 4 } else { 2 };
        let mut numbers = rest.split('.').skip(skipped).map(|token| token.parse::<u64>().ok());
        let mut number = || numbers.next().flatten();
        Some(Self {
            delivered: number()?,
            sequence: number()?,
            consumer_sequence: number()?,
            time: SystemTime::UNIX_EPOCH + Duration::from_nanos(number()?),
            pending: number()?,
        })
    }

    pub(crate) fn metadata(&self, stream: &Arc<str>) -> Metadata {
        let mut metadata = Metadata::default();
        metadata.stream = Some(Arc::clone(stream));
        metadata.sequence = Some(self.sequence);
        metadata.consumer_sequence = Some(self.consumer_sequence);
        metadata.delivered = Some(self.delivered);
        metadata.pending = Some(self.pending);
        metadata.time = Some(self.time);
        metadata
    }
}

/// What the server says instead of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Status {
    /// The request is still open.
    Heartbeat,
    /// A request is over; so many of its messages did not come. `None` when the server does not say.
    Over { missing: Option<usize> },
    /// Another subscriber of the group is the pinned one.
    NotPinned,
    /// Nothing will come until the consumer has been looked after.
    Lost { reason: String },
}

impl Status {
    /// Reads a message that has a status.
    pub(crate) fn read(code: u16, native: &async_nats::Message) -> Self {
        let text = native.description.as_deref().unwrap_or_default();
        let missing = native.headers.as_ref().and_then(|headers| headers.get("Nats-Pending-Messages"));
        let missing = missing.and_then(|missing| missing.as_str().parse().ok());
        let gone = |reason: &str| Self::Lost { reason: reason.to_owned() };
        match code {
            100 => Self::Heartbeat,
            423 => Self::NotPinned,
            503 => gone("nobody answers for the consumer"),
            409 if ["Deleted", "Leadership", "Shutdown", "push based"].iter().any(|word| text.contains(word)) => {
                gone(text)
            }
            _ => Self::Over { missing },
        }
    }
}

/// The server's receipt.
#[derive(Deserialize)]
pub(crate) struct Receipt<'a> {
    #[serde(default)]
    error: Option<ServerError>,
    #[serde(default, borrow)]
    pub(crate) stream: &'a str,
    #[serde(default, rename = "seq")]
    pub(crate) sequence: u64,
    #[serde(default)]
    pub(crate) duplicate: bool,
}

impl<'a> Receipt<'a> {
    pub(crate) fn read(payload: &'a [u8]) -> Result<Self> {
        let mut receipt: Self = serde_json::from_slice(payload).map_err(unreadable)?;
        match receipt.error.take() {
            Some(error) => Err(error.into()),
            None => Ok(receipt),
        }
    }
}

/// A request for messages.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ask<'a> {
    pub(crate) batch: usize,
    /// How long the server keeps it; zero not at all.
    pub(crate) expires: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) group: Option<&'a crate::PriorityGroup>,
    pub(crate) pin: Option<&'a str>,
}

impl Ask<'_> {
    pub(crate) fn to_bytes(&self) -> Bytes {
        use std::fmt::Write as _;

        use crate::PriorityGroup;

        let mut json = format!("{{\"batch\":{}", self.batch);
        // Writing to a string cannot fail.
        let _ = match self.expires.as_nanos() {
            0 => write!(json, ",\"no_wait\":true"),
            nanos => write!(json, ",\"expires\":{nanos}"),
        };
        if !self.heartbeat.is_zero() {
            let _ = write!(json, ",\"idle_heartbeat\":{}", self.heartbeat.as_nanos());
        }
        if let Some(group) = self.group {
            let (name, more) = match group {
                PriorityGroup::Pinned { name, .. } => (name, String::new()),
                PriorityGroup::Prioritized { name, priority } => (name, format!(",\"priority\":{priority}")),
                PriorityGroup::Overflow { name, min_pending, min_ack_pending } => {
                    (name, format!(",\"min_pending\":{min_pending},\"min_ack_pending\":{min_ack_pending}"))
                }
            };
            let _ = write!(json, ",\"group\":{}{more}", serde_json::Value::from(name.as_str()));
        }
        if let Some(pin) = self.pin {
            let _ = write!(json, ",\"id\":{}", serde_json::Value::from(pin));
        }
        json.push('}');
        json.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: Place =
        Place { delivered: 3, sequence: 100, consumer_sequence: 7, pending: 42, time: SystemTime::UNIX_EPOCH };

    #[test]
    fn a_place_is_read_with_and_without_domain() {
        for reply in [
            "$JS.ACK.orders.d.3.100.7.0.42",
            "$JS.ACK._.hash.orders.d.3.100.7.0.42",
            "$JS.ACK.hub.hash.orders.d.3.100.7.0.42.token",
        ] {
            assert_eq!(Place::read(reply), Some(EXPECTED), "{reply}");
        }
        for bad in ["", "$JS.FC.orders.d.3.100.7.0.42", "$JS.ACK.orders.d.3.100.7.0", "$JS.ACK.orders.d.3.x.7.0.42"] {
            assert_eq!(Place::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_dead_letter_is_no_duplicate_of_its_original() {
        let id = |message: &Message<Bytes>| {
            let mut map = HeaderMap::new();
            set_id(&mut map, message);
            map.get(MESSAGE_ID).map(|id| id.as_str().to_owned())
        };
        let order = Message::new("orders.new", Bytes::new()).expect("valid").with_id("one").expect("valid");
        assert_eq!(id(&order).as_deref(), Some("one"));
        let mut letter = Message::new("dlq.orders.new", Bytes::new()).expect("valid").with_headers(order.headers);
        letter.headers.insert(header::ORIGINAL_SUBJECT, "orders.new").expect("valid");
        letter.headers.insert(header::HANDLER, "ship").expect("valid");
        assert_eq!(id(&letter).as_deref(), Some("dlq.orders.new/orders.new/ship/one"));
    }

    #[test]
    fn a_request_is_written_as_the_server_reads_it() {
        let seconds = Duration::from_secs;
        let ask = Ask { batch: 5, expires: seconds(1), heartbeat: seconds(2), ..Ask::default() };
        assert_eq!(ask.to_bytes(), r#"{"batch":5,"expires":1000000000,"idle_heartbeat":2000000000}"#);
        assert_eq!(Ask { batch: 1, ..Ask::default() }.to_bytes(), r#"{"batch":1,"no_wait":true}"#);
        let group = crate::PriorityGroup::Overflow { name: "g\"".into(), min_pending: 3, min_ack_pending: 0 };
        let ask = Ask { batch: 1, group: Some(&group), pin: Some("p"), ..Ask::default() };
        let expected = r#"{"batch":1,"no_wait":true,"group":"g\"","min_pending":3,"min_ack_pending":0,"id":"p"}"#;
        assert_eq!(ask.to_bytes(), expected);
    }

    #[test]
    fn a_receipt_is_read_or_refused() {
        let receipt = Receipt::read(br#"{"stream":"orders","seq":9,"duplicate":true}"#).expect("one");
        assert_eq!((receipt.stream, receipt.sequence, receipt.duplicate), ("orders", 9, true));
        let refused =
            br#"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 3"},"stream":"o","seq":0}"#;
        assert_eq!(Receipt::read(refused).err().map(|error| error.kind()), Some(flux_core::ErrorKind::Rejected));
    }
}
