//! Options of a bus.

use std::borrow::Cow;
use std::time::Duration;

/// How a bus connects, waits and names itself.
///
/// ```
/// use std::time::Duration;
/// use flux_nats::NatsConfig;
///
/// let config = NatsConfig::new().with_request_timeout(Duration::from_secs(2)).with_responder_group("pricing");
/// # let _ = config;
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NatsConfig {
    /// How long a request waits for its answer, and a flush for the server. Default: 10 s.
    pub request_timeout: Duration,
    /// The queue group of responders, so that one of them gets each request. Default: `q`, as in NATS services.
    pub responder_group: Cow<'static, str>,
    /// Whether a message without other headers names its codec's content type. Default: true.
    pub content_type: bool,
    /// Messages that wait for one subscription before the next is dropped. Default: 65,536.
    pub subscription_capacity: usize,
}

impl NatsConfig {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            request_timeout: Duration::from_secs(10),
            responder_group: Cow::Borrowed("q"),
            content_type: true,
            subscription_capacity: 65_536,
        }
    }

    /// Sets how long a request waits for its answer, and a flush for the server.
    #[must_use]
    pub const fn with_request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Sets the queue group of responders.
    #[must_use]
    pub fn with_responder_group(mut self, group: impl Into<Cow<'static, str>>) -> Self {
        self.responder_group = group.into();
        self
    }

    /// Leaves the content type out of messages that have no other header. The client takes longer over one header than over
    /// the rest of a small message; without, receivers must know by themselves which codec it is.
    #[must_use]
    pub const fn without_content_type(mut self) -> Self {
        self.content_type = false;
        self
    }
}

impl Default for NatsConfig {
    fn default() -> Self {
        Self::new()
    }
}
