//! Options of a bus and of the connection that it makes.

mod credentials;
mod tls;

use std::borrow::Cow;
use std::time::Duration;

use async_nats::ConnectOptions;
use flux_core::Result;

pub use credentials::Credentials;
pub use tls::Tls;
pub(crate) use tls::check_provider;

/// How a bus connects, waits and names itself.
///
/// The part about the connection counts for [`Nats::connect`](crate::Nats::connect) only: a client of your own has its own.
///
/// ```
/// use std::time::Duration;
/// use flux_nats::NatsConfig;
///
/// let service = NatsConfig::new().with_name("pricing").with_retry_from_start();
/// let tool = NatsConfig::new().with_request_timeout(Duration::from_secs(2));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NatsConfig {
    /// How long a request waits for its answer, and a flush for the server. Default: 10 s.
    pub request_timeout: Duration,
    /// The queue group of responders, so that one of them gets each request. Default: `q`, as in NATS services.
    pub responder_group: Cow<'static, str>,
    /// Whether a message says that it is JSON. Default: false; every other content type is always named.
    pub json_content_type: bool,
    /// Whether a request without a deadline of its own carries the request timeout as one. Default: false.
    pub timeout_as_deadline: bool,
    /// The connection's name, as the server shows it. Default: none.
    pub name: Option<String>,
    /// Who we are to the server. Default: [`Credentials::None`], or what the URL says.
    pub credentials: Credentials,
    /// TLS. Default: as the URL and the server say, with the system's roots.
    pub tls: Option<Tls>,
    /// Whether `connect` returns at once and goes on trying, or fails when no server answers. Default: it fails.
    pub retry_from_start: bool,
    /// Attempts to get a lost connection back before the bus is closed. Default: `None`, no end.
    pub max_reconnects: Option<usize>,
    /// How long one attempt to connect may take. Default: 5 s.
    pub connect_timeout: Duration,
    /// How long the connection may be silent before the server is asked whether it is there. Default: 60 s.
    pub ping_interval: Duration,
    /// Messages that wait for one subscription before the next is dropped. Default: 65,536.
    pub subscription_capacity: usize,
    /// Messages in flight to the connection before `send` waits. Default: 2,048.
    pub publish_capacity: usize,
    /// What the subjects of answers begin with. Default: `_INBOX`.
    pub inbox_prefix: Cow<'static, str>,
}

impl NatsConfig {
    /// The defaults, which suit a tool: it fails when no server answers.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            request_timeout: Duration::from_secs(10),
            responder_group: Cow::Borrowed("q"),
            json_content_type: false,
            timeout_as_deadline: false,
            name: None,
            credentials: Credentials::None,
            tls: None,
            retry_from_start: false,
            max_reconnects: None,
            connect_timeout: Duration::from_secs(5),
            ping_interval: Duration::from_secs(60),
            subscription_capacity: 65_536,
            publish_capacity: 2048,
            inbox_prefix: Cow::Borrowed("_INBOX"),
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

    /// Names the content type of JSON, too: for receivers whose codec takes a payload that says
    /// nothing for something else. The client takes longer over one header than over the rest of a small message.
    #[must_use]
    pub const fn with_json_content_type(mut self) -> Self {
        self.json_content_type = true;
        self
    }

    /// Puts the request timeout on the wire, as `X-Deadline` of each request that has none, so that its handler knows what time
    /// is left. A deadline that a request has, and the time for several answers, travel anyway.
    #[must_use]
    pub const fn with_timeout_as_deadline(mut self) -> Self {
        self.timeout_as_deadline = true;
        self
    }

    /// Names the connection.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets who we are to the server.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Connects by TLS and no other way.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Starts without a server, too: `connect` returns at once, and what needs the server waits for it. For services, which
    /// must not depend on the order in which things are started.
    #[must_use]
    pub const fn with_retry_from_start(mut self) -> Self {
        self.retry_from_start = true;
        self
    }

    /// Closes the bus after this many attempts in a row to get a lost connection back. 0 stands for no end.
    #[must_use]
    pub const fn with_max_reconnects(mut self, attempts: usize) -> Self {
        self.max_reconnects = if attempts == 0 { None } else { Some(attempts) };
        self
    }

    /// Sets how long one attempt to connect may take.
    #[must_use]
    pub const fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how long the connection may be silent before the server is asked whether it is there. After two questions without
    /// an answer the connection counts as lost.
    #[must_use]
    pub const fn with_ping_interval(mut self, interval: Duration) -> Self {
        self.ping_interval = interval;
        self
    }

    /// Sets how many messages wait for one subscription before the next is dropped. 0 counts as 1.
    #[must_use]
    pub const fn with_subscription_capacity(mut self, capacity: usize) -> Self {
        self.subscription_capacity = if capacity == 0 { 1 } else { capacity };
        self
    }

    /// Sets how many messages are in flight to the connection before `send` waits. 0 counts as 1.
    #[must_use]
    pub const fn with_publish_capacity(mut self, capacity: usize) -> Self {
        self.publish_capacity = if capacity == 0 { 1 } else { capacity };
        self
    }

    /// Sets what the subjects of answers begin with, for accounts that may not subscribe to `_INBOX.>`.
    #[must_use]
    pub fn with_inbox_prefix(mut self, prefix: impl Into<Cow<'static, str>>) -> Self {
        self.inbox_prefix = prefix.into();
        self
    }

    /// The client's options.
    pub(crate) async fn to_options(&self) -> Result<ConnectOptions> {
        let mut options = ConnectOptions::new()
            .connection_timeout(self.connect_timeout)
            .ping_interval(self.ping_interval)
            .subscription_capacity(self.subscription_capacity)
            .client_capacity(self.publish_capacity)
            .custom_inbox_prefix(&self.inbox_prefix)
            .max_reconnects(self.max_reconnects)
            .request_timeout(Some(self.request_timeout))
            // Subjects are checked when they are made.
            .skip_subject_validation(true);
        if let Some(name) = &self.name {
            options = options.name(name);
        }
        if self.retry_from_start {
            options = options.retry_on_initial_connect();
        }
        if let Some(tls) = &self.tls {
            options = tls.apply(options)?;
        }
        self.credentials.apply(options).await
    }
}

impl Default for NatsConfig {
    fn default() -> Self {
        Self::new()
    }
}
