//! Options of the layer.

use flux_core::{Error, ErrorKind, Result};

use crate::attributes;

/// Where an event's attributes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Mode {
    /// In headers; the payload is the data.
    #[default]
    Binary,
    /// With the data in one JSON object, `application/cloudevents+json`.
    Structured,
}

/// Which protocol's binding is written. Both are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Binding {
    /// The media type of the data is `Content-Type` (HTTP binding, 3.1.1).
    #[default]
    Http,
    /// The media type of the data is `ce-datacontenttype` (NATS binding, 3.1), beside the `Content-Type` that flux reads.
    Nats,
}

/// How events are written.
///
/// ```
/// use flux_cloudevents::{CloudEventsConfig, Mode};
///
/// let config = CloudEventsConfig::new("/shop/orders")?.with_mode(Mode::Structured);
/// # Ok::<(), flux_core::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CloudEventsConfig {
    /// Where events happen, a URI reference; the attribute `source` of events that name none.
    pub source: String,
    /// Where attributes travel. Default: [`Mode::Binary`]. Both are read.
    pub mode: Mode,
    /// Which protocol's binding is written. Default: [`Binding::Http`].
    pub binding: Binding,
}

impl CloudEventsConfig {
    /// Events of this source.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no URI reference, or is empty.
    pub fn new(source: impl Into<String>) -> Result<Self> {
        let source = source.into();
        attributes::check("source", &source).map_err(|flaw| Error::new(ErrorKind::InvalidInput, flaw))?;
        Ok(Self { source, mode: Mode::Binary, binding: Binding::Http })
    }

    /// Sets where attributes travel.
    #[must_use]
    pub const fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets which protocol's binding is written.
    #[must_use]
    pub const fn with_binding(mut self, binding: Binding) -> Self {
        self.binding = binding;
        self
    }
}
