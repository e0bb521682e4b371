//! The options of the transport, each with its default.

/// How [`{{Name}}`](crate::{{Name}}) sends and receives.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct {{Name}}Config {
    pub(crate) payload_bytes_max: usize,
}

impl {{Name}}Config {
    /// Sets the largest payload that is sent, in bytes. Default: 1 MiB.
    #[must_use]
    pub fn with_payload_bytes_max(mut self, bytes: usize) -> Self {
        self.payload_bytes_max = bytes;
        self
    }
}

impl Default for {{Name}}Config {
    fn default() -> Self {
        Self { payload_bytes_max: 1024 * 1024 }
    }
}
