//! An event's attributes, as a handler reads them.

use flux_core::{Error, ErrorKind, Headers, Result};

use crate::attributes::{self, Attributes};
use crate::binary;

/// The attributes of an event, from the headers of its message.
///
/// ```
/// # use flux_core::Message;
/// use flux_cloudevents::Event;
///
/// # fn handle(message: Message<u8>) -> flux_core::Result<()> {
/// let event = Event::of(&message.headers)?;
/// println!("{} of {}", event.event_type(), event.source());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event(Attributes);

impl Event {
    /// Reads the headers `ce-…` as the layer sets them, not encoded.
    ///
    /// # Errors
    /// [`ErrorKind::Codec`] when an attribute is missing or not as the standard wants it: no layer has read this message.
    pub fn of(headers: &Headers) -> Result<Self> {
        let named = headers.iter().filter_map(|(name, value)| Some((binary::attribute(name)?, value.to_owned())));
        let attributes: Attributes = named.collect();
        attributes::check_all(&attributes).map_err(|flaw| Error::new(ErrorKind::Codec, flaw))?;
        Ok(Self(attributes))
    }

    /// What tells this event from others of the same source.
    #[must_use]
    pub fn id(&self) -> &str {
        self.get("id").unwrap_or_default()
    }

    /// Where it happened, a URI reference.
    #[must_use]
    pub fn source(&self) -> &str {
        self.get("source").unwrap_or_default()
    }

    /// What happened, the attribute `type`.
    #[must_use]
    pub fn event_type(&self) -> &str {
        self.get("type").unwrap_or_default()
    }

    /// What it happened to, within the source.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.get("subject")
    }

    /// When it happened, as RFC 3339 has it.
    #[must_use]
    pub fn time(&self) -> Option<&str> {
        self.get("time")
    }

    /// Any attribute, extensions as well, by its name without `ce-`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}
