//! What an author of a transport tells the suite about it.

use std::future::Future;
use std::time::Duration;

use flux_core::{Acker, Consumer, Publisher, QueueSubscriber, Requester, Responder, Result, Subscriber};

/// A transport under test.
///
/// Every case opens an instance of its own. Subjects begin with `conformance.`.
pub trait Fixture: 'static {
    /// What the transport carries.
    type Payload: Clone + Send + 'static;
    /// The transport.
    type Bus: Publisher<Self::Payload> + Subscriber<Self::Payload, Deliveries: 'static> + Clone + 'static;

    /// The transport's name in reports.
    const NAME: &'static str;
    /// Whether all of the transport's time is tokio's, so that cases may run under a paused clock.
    const PAUSED: bool;

    /// What the transport promises. A promise must hold, and what is not promised must not be there.
    fn capabilities() -> Capabilities;

    /// An instance that no other case uses.
    fn open() -> impl Future<Output = Result<Self::Bus>>;

    /// The payload that stands for this number.
    fn payload(number: u64) -> Self::Payload;

    /// The number that a payload stands for.
    fn number(payload: &Self::Payload) -> u64;
}

/// What a transport promises; a row of the table of guarantees.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a column of a table")]
pub struct Capabilities {
    /// What is true when publishing returns, in words.
    pub publish: &'static str,
    /// Whether unsettled messages are delivered again.
    pub redelivers: bool,
    /// Whether publishing returns with the outcome of those who got the message.
    pub outcomes: bool,
    /// Whether names of headers keep their case.
    pub header_case: bool,
    /// Whether it has request and reply.
    pub requests: bool,
    /// Whether messages can be fetched.
    pub pull: bool,
    /// Whether it has queue groups.
    pub groups: bool,
    /// Which messages keep their order, in words; `none` when none do.
    pub order: &'static str,
}

impl Capabilities {
    /// A transport that delivers at most once and does nothing else.
    #[must_use]
    pub const fn new(publish: &'static str, order: &'static str) -> Self {
        Self {
            publish,
            redelivers: false,
            outcomes: false,
            header_case: true,
            requests: false,
            pull: false,
            groups: false,
            order,
        }
    }

    /// Unsettled messages are delivered again.
    #[must_use]
    pub const fn with_redelivery(mut self) -> Self {
        self.redelivers = true;
        self
    }

    /// Publishing returns when everyone who got the message has settled it, and fails when one of them failed.
    #[must_use]
    pub const fn with_outcomes(mut self) -> Self {
        self.outcomes = true;
        self
    }

    /// Names of headers that flux does not know arrive in lower case, as over HTTP.
    #[must_use]
    pub const fn without_header_case(mut self) -> Self {
        self.header_case = false;
        self
    }

    /// It has request and reply.
    #[must_use]
    pub const fn with_requests(mut self) -> Self {
        self.requests = true;
        self
    }

    /// Messages can be fetched.
    #[must_use]
    pub const fn with_pull(mut self) -> Self {
        self.pull = true;
        self
    }

    /// It has queue groups.
    #[must_use]
    pub const fn with_groups(mut self) -> Self {
        self.groups = true;
        self
    }

    /// The columns of the table of guarantees, in order.
    #[must_use]
    pub fn columns(&self) -> Vec<(&'static str, &'static str)> {
        let settle = match (self.redelivers, self.outcomes) {
            (_, true) => "the outcome is the answer",
            (true, _) => "yes",
            _ => "no",
        };
        let yes = |has: bool| if has { "yes" } else { "no" };
        vec![
            ("publish returns when", self.publish),
            ("delivery", if self.redelivers { "at least once" } else { "at most once" }),
            ("settle", settle),
            ("request-reply", yes(self.requests)),
            ("pull", yes(self.pull)),
            ("queue group", yes(self.groups)),
            ("order", self.order),
        ]
    }
}

/// A transport with queue groups.
pub trait Groups: Fixture<Bus: QueueSubscriber<Self::Payload>> {}

impl<F: Fixture<Bus: QueueSubscriber<F::Payload>>> Groups for F {}

/// A transport with request and reply.
pub trait Requests:
    Fixture<Bus: Requester<Self::Payload, Self::Payload> + Responder<Self::Payload, Self::Payload, Requests: 'static>>
{
}

impl<F> Requests for F where
    F: Fixture<Bus: Requester<F::Payload, F::Payload> + Responder<F::Payload, F::Payload, Requests: 'static>>
{
}

/// A transport that delivers again what was not settled. A queue group keeps what it has not settled while it has no members.
pub trait Redelivers: Fixture<Bus: QueueSubscriber<Self::Payload> + Subscriber<Self::Payload, Acker: Acker>> {
    /// How long a delivery to a queue group may stay unsettled. Cases wait for it up to three times; where the clock cannot be
    /// paused, choose a second or less.
    fn ack_wait() -> Duration;
}

/// A transport whose messages can be fetched.
pub trait Pull: Fixture {
    /// Fetches.
    type Consumer: Consumer<Self::Payload, Acker: Acker>;

    /// A consumer of what `filter` matches.
    fn consumer(bus: &Self::Bus, filter: &str) -> impl Future<Output = Result<Self::Consumer>>;

    /// How long a message that was fetched may stay unsettled; a second or less where the clock cannot be paused.
    fn ack_wait() -> Duration;
}

/// A transport with a server that can go away and come back.
///
/// Its requests and publishes give up within two seconds, so that cases end; its clients try to get a lost connection back.
pub trait Restarts: Fixture {
    /// A server that no other case uses; gone when it is dropped.
    type Server;

    /// What publishing does while the server is away.
    const WHILE_AWAY: WhileAway;

    /// Starts a server, and opens an instance on it.
    fn serve() -> impl Future<Output = Result<(Self::Server, Self::Bus)>>;

    /// Ends the server without a warning, as a crash would, and returns when it is gone.
    fn stop_server(server: &Self::Server) -> impl Future<Output = Result<()>>;

    /// Starts the server again, with what it had stored; returns when clients may come.
    fn start_server(server: &Self::Server) -> impl Future<Output = Result<()>>;
}

/// What publishing does while the server is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhileAway {
    /// It succeeds at once, as its receipt promises no more; the message goes out when the server is back, or is lost.
    Buffers,
    /// It fails within a second with [`ErrorKind::Unavailable`](flux_core::ErrorKind::Unavailable) or
    /// [`ErrorKind::TimedOut`](flux_core::ErrorKind::TimedOut).
    Fails,
    /// It waits for the server longer than a second, and then succeeds or fails.
    Waits,
}
