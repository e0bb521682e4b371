//! Options of the end that receives.

use std::borrow::Cow;
use std::time::Duration;

/// What a server takes and how long it waits.
///
/// ```
/// use flux_http::HttpServerConfig;
///
/// let webhooks = HttpServerConfig::new().with_max_body(64 * 1024).with_early_answer().without_reasons();
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HttpServerConfig {
    /// What paths begin with before the subject. Default: nothing, so that `/orders.created` is the path of `orders.created`.
    pub base: Cow<'static, str>,
    /// The largest body, in bytes. What says that it is larger is refused before it is read. Default: 1 MiB.
    pub max_body: usize,
    /// How long a body may take to arrive. Default: 30 s. Only a body that does not come with its headers sets a timer.
    pub read_timeout: Duration,
    /// How long a sender waits for the outcome, unless its `X-Deadline` is sooner. Default: 30 s.
    pub answer_timeout: Duration,
    /// Messages that wait for one subscription, and requests that wait for one responder, before the next is refused with 429.
    /// Default: 1,024.
    pub capacity: usize,
    /// What a sender is told to wait when a queue is full or the server drains. Default: 1 s.
    pub retry_after: Duration,
    /// Whether the sender is answered once the message is in the queue, and not when it was handled. Default: false.
    pub early_answer: bool,
    /// Whether a refusal tells the handler's reason. Default: true.
    pub reasons: bool,
    /// For [`serve`](crate::serve()): the most connections at once; the next waits to be accepted. Default: 1,024.
    pub max_connections: usize,
    /// For [`serve`](crate::serve()): the most bytes of a request's line and headers, at least 8 KiB. Default: 64 KiB.
    pub max_header_bytes: usize,
    /// For [`serve`](crate::serve()): how long the headers of the next request may take, and so how long a connection without
    /// requests is kept. It is looked at four times within that, and may last up to a quarter longer. One of HTTP/2 on which none is
    /// handled for that long is told to end, and dropped when it has not done so for as long again; this is also the time for the
    /// rest of its last answer. At least 1 ms, at most a year. Default: 30 s.
    pub header_timeout: Duration,
    /// For [`serve`](crate::serve()): how long a peer may take nothing of what is sent to it before it is cut off. Default: 30 s.
    pub write_timeout: Duration,
    /// For [`serve`](crate::serve()): how long requests may take to end after the shutdown was asked for. Default: 30 s.
    pub drain_timeout: Duration,
}

impl HttpServerConfig {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            base: Cow::Borrowed(""),
            max_body: 1024 * 1024,
            read_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(30),
            capacity: 1024,
            retry_after: Duration::from_secs(1),
            early_answer: false,
            reasons: true,
            max_connections: 1024,
            max_header_bytes: 64 * 1024,
            header_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(30),
        }
    }

    /// Sets what paths begin with, for example `/events`. A router that strips the prefix, as axum's `nest_service` does,
    /// needs none.
    #[must_use]
    pub fn with_base(mut self, base: impl Into<Cow<'static, str>>) -> Self {
        self.base = base.into();
        self
    }

    /// Sets the largest body, in bytes.
    #[must_use]
    pub const fn with_max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets how long a body may take to arrive.
    #[must_use]
    pub const fn with_read_timeout(mut self, timeout: Duration) -> Self {
        self.read_timeout = timeout;
        self
    }

    /// Sets how long a sender waits for the outcome.
    #[must_use]
    pub const fn with_answer_timeout(mut self, timeout: Duration) -> Self {
        self.answer_timeout = timeout;
        self
    }

    /// Sets how many messages may wait for one subscription, and requests for one responder; at least 1.
    #[must_use]
    pub const fn with_capacity(mut self, messages: usize) -> Self {
        self.capacity = if messages == 0 { 1 } else { messages };
        self
    }

    /// Sets what a sender is told to wait when a queue is full or the server drains. Sent in whole seconds, rounded up.
    #[must_use]
    pub const fn with_retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = delay;
        self
    }

    /// Answers 202 once a message is in the queue of every subscription, for senders that do not wait for handlers, as those
    /// of webhooks. Delivery is at most once then. Requests are answered as ever.
    #[must_use]
    pub const fn with_early_answer(mut self) -> Self {
        self.early_answer = true;
        self
    }

    /// Keeps to the server why a handler refused a message, for senders who are strangers. Answers to requests are as ever.
    #[must_use]
    pub const fn without_reasons(mut self) -> Self {
        self.reasons = false;
        self
    }

    /// Sets the most connections at once; at least 1.
    #[must_use]
    pub const fn with_max_connections(mut self, connections: usize) -> Self {
        self.max_connections = if connections == 0 { 1 } else { connections };
        self
    }

    /// Sets the most bytes of a request's line and headers; at least 8 KiB.
    #[must_use]
    pub const fn with_max_header_bytes(mut self, bytes: usize) -> Self {
        self.max_header_bytes = if bytes < 8192 { 8192 } else { bytes };
        self
    }

    /// Sets how long the headers of the next request may take, and how long a connection without requests is kept.
    #[must_use]
    pub const fn with_header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = timeout;
        self
    }

    /// Sets how long a peer may take nothing of what is sent to it.
    #[must_use]
    pub const fn with_write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// Sets how long requests may take to end after the shutdown was asked for.
    #[must_use]
    pub const fn with_drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
        self
    }
}

impl Default for HttpServerConfig {
    fn default() -> Self {
        Self::new()
    }
}
