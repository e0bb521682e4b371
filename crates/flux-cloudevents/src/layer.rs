//! The layer: writes events, and hands on what it has read.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use flux_core::{Error, ErrorKind, Headers, Message, Publisher, Result, Telemetry, Typed, Unreadable, header};

use crate::attributes::{self, Attributes, VERSION};
use crate::binary::{self, PREFIX};
use crate::structured::{self, FAMILY, MEDIA_TYPE};
use crate::{Binding, CloudEventsConfig, Mode};

/// Publishes over `W` what it is given as `CloudEvents`, and reads them from it, under any codec.
///
/// ```
/// # use flux_core::{Bytes, Codec, Publisher, Result};
/// use flux_cloudevents::{CloudEvents, CloudEventsConfig};
///
/// # async fn doc<W: Publisher<Bytes>, C: Codec<f64>>(wire: W, json: C) -> Result<()> {
/// let bus = CloudEvents::new(wire, CloudEventsConfig::new("/shop")?).typed(json);
/// bus.publish("orders.total", 9.5).await?; // ce-type: orders.total, ce-source: /shop
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct CloudEvents<W> {
    pub(crate) wire: W,
    config: Arc<CloudEventsConfig>,
    ids: Arc<Ids>,
}

impl<W> CloudEvents<W> {
    /// Wraps a transport of bytes.
    pub fn new(wire: W, config: CloudEventsConfig) -> Self {
        Self { wire, config: Arc::new(config), ids: Arc::new(Ids::new()) }
    }

    /// The same bus for values.
    pub fn typed<C>(self, codec: C) -> Typed<Self, C> {
        Typed::with_telemetry(self, codec, Telemetry::new("cloudevents"))
    }

    /// The event that a message becomes.
    fn write(&self, message: Message<Bytes>) -> Result<Message<Bytes>> {
        let Message { subject, headers, payload } = message;
        let mut attributes: Attributes = vec![("specversion".to_owned(), VERSION.to_owned())];
        let mut rest = Headers::new();
        for (name, value) in headers.iter() {
            match binary::attribute(name) {
                Some(name) if name == "specversion" || name == "datacontenttype" => {}
                Some(name) => attributes.push((name, value.to_owned())),
                None => rest.append(name, value)?,
            }
        }
        let mut default = |name: &str, value: &dyn Fn() -> String| {
            if !attributes.iter().any(|(found, _)| found == name) {
                attributes.push((name.to_owned(), value()));
            }
        };
        default("id", &|| headers.get(&header::MESSAGE_ID).map_or_else(|| self.ids.next(), ToOwned::to_owned));
        default("source", &|| self.config.source.clone());
        default("type", &|| subject.to_string());
        if let Some(content_type) = headers.get(&header::CONTENT_TYPE) {
            default("datacontenttype", &|| content_type.to_owned());
        }
        attributes::check_all(&attributes).map_err(|flaw| Error::new(ErrorKind::InvalidInput, flaw))?;
        let payload = match self.config.mode {
            Mode::Binary => {
                for (name, value) in &attributes {
                    if name != "datacontenttype" || self.config.binding == Binding::Nats {
                        rest.append(format!("{PREFIX}{name}").as_str(), binary::encode(value))?;
                    }
                }
                payload
            }
            Mode::Structured => {
                rest.insert(header::CONTENT_TYPE, MEDIA_TYPE)?;
                structured::write(&attributes, &payload)
                    .map_err(|error| Error::new(ErrorKind::Codec, "the event is not written").with_source(error))?
            }
        };
        Ok(Message { subject, headers: rest, payload })
    }
}

/// The headers and the payload of the event that a message is.
pub(crate) fn read(message: &Message<Bytes>) -> Result<(Headers, Bytes), (Unreadable, Error)> {
    let malformed = |flaw: String| (Unreadable::Payload, Error::new(ErrorKind::Codec, flaw));
    let content_type = message.headers.get(&header::CONTENT_TYPE).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let is_structured = essence.get(..FAMILY.len()).is_some_and(|family| family.eq_ignore_ascii_case(FAMILY));
    let mut headers = Headers::new();
    let mut attributes = Attributes::new();
    for (name, value) in message.headers.iter() {
        match binary::attribute(name) {
            // Beside a structured event, copies of its attributes may stand in headers; they count for nothing.
            Some(_) if is_structured => {}
            Some(name) => {
                let decoded = binary::decode(value);
                attributes.push((name, decoded.ok_or_else(|| malformed(format!("`{value}` is not percent-encoded")))?));
            }
            None => headers.append(name, value).map_err(|error| (Unreadable::Payload, error))?,
        }
    }
    let mut payload = message.payload.clone();
    if is_structured {
        if !essence.eq_ignore_ascii_case(MEDIA_TYPE) {
            let text = format!("events are read one at a time and as `{MEDIA_TYPE}`, not as `{essence}`");
            return Err((Unreadable::ContentType, Error::new(ErrorKind::Codec, text)));
        }
        (attributes, payload) = structured::read(&message.payload).map_err(malformed)?;
        headers.remove(&header::CONTENT_TYPE);
    }
    attributes::check_all(&attributes).map_err(malformed)?;
    let set = |headers: &mut Headers| {
        for (name, value) in &attributes {
            match name.as_str() {
                "datacontenttype" => headers.insert(header::CONTENT_TYPE, value.clone())?,
                _ => headers.append(format!("{PREFIX}{name}").as_str(), value.clone())?,
            }
        }
        Ok(())
    };
    set(&mut headers).map_err(|error| (Unreadable::Payload, error))?;
    Ok((headers, payload))
}

/// # Errors
/// Those of `W`, and [`ErrorKind::InvalidInput`] for a header `ce-…` that is not as the standard wants it.
impl<W: Publisher<Bytes>> Publisher<Bytes> for CloudEvents<W> {
    type Receipt = W::Receipt;

    async fn send(&self, message: Message<Bytes>) -> Result<W::Receipt> {
        let subject = message.subject.clone();
        let event = self.write(message).map_err(|error| error.with_operation("publish").with_subject(subject))?;
        self.wire.send(event).await
    }

    async fn flush(&self) -> Result<()> {
        self.wire.flush().await
    }
}

/// Ids for events that have none: a random number of this layer and a count.
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
        format!("{:016x}-{}", self.layer, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

impl<W: fmt::Debug> fmt::Debug for CloudEvents<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudEvents").field("wire", &self.wire).field("config", &self.config).finish_non_exhaustive()
    }
}
