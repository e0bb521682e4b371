//! Options of the end that sends.

use std::time::Duration;

/// How a client connects and waits.
///
/// ```
/// use std::time::Duration;
/// use flux_http::HttpClientConfig;
///
/// let patient = HttpClientConfig::new().with_request_timeout(Duration::from_secs(60));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HttpClientConfig {
    /// How long a message or request may take, from the connection to the last byte of the answer. Default: 10 s.
    pub request_timeout: Duration,
    /// How long a connection may take to be made. Default: 5 s.
    pub connect_timeout: Duration,
    /// How long a connection is kept for the next message. Default: 20 s, which is shorter than servers keep theirs.
    pub pool_idle_timeout: Duration,
    /// How many connections are kept for the next message. Default: 64.
    pub pool_max_idle: usize,
    /// The largest answer, in bytes. Default: 1 MiB.
    pub max_answer: usize,
    /// Whether the peer is known to speak HTTP/2 without TLS. Default: false, HTTP/1.1.
    #[cfg(feature = "http2")]
    pub http2: bool,
}

impl HttpClientConfig {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            request_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            pool_idle_timeout: Duration::from_secs(20),
            pool_max_idle: 64,
            max_answer: 1024 * 1024,
            #[cfg(feature = "http2")]
            http2: false,
        }
    }

    /// Sets how long a message or request may take.
    #[must_use]
    pub const fn with_request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Sets how long a connection may take to be made. A connector of your own has its own limit.
    #[must_use]
    pub const fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how many connections are kept for the next message, and for how long.
    #[must_use]
    pub const fn with_pool(mut self, max_idle: usize, idle_timeout: Duration) -> Self {
        self.pool_max_idle = max_idle;
        self.pool_idle_timeout = idle_timeout;
        self
    }

    /// Sets the largest answer, in bytes.
    #[must_use]
    pub const fn with_max_answer(mut self, bytes: usize) -> Self {
        self.max_answer = bytes;
        self
    }

    /// Speaks HTTP/2 from the first byte, to a peer that is known to. With TLS the connector negotiates it, without this.
    #[cfg(feature = "http2")]
    #[must_use]
    pub const fn with_http2(mut self) -> Self {
        self.http2 = true;
        self
    }
}

impl Default for HttpClientConfig {
    fn default() -> Self {
        Self::new()
    }
}
