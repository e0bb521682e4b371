//! Both ends as one, for programs that send to the server they are, or to one like it.

use bytes::Bytes;
use flux_core::{
    Instance, Message, OnArrival, Publisher, QueueSubscriber, Registration, Requester, Responder, Result, Subscriber,
    Telemetry, Typed,
};
use hyper_util::client::legacy::connect::{Connect, HttpConnector};

use crate::{Accepted, HttpAcker, HttpClient, HttpDeliveries, HttpReply, HttpRequests, HttpServer};

/// A client and a server: publishes and asks through the one, subscribes and answers through the other.
pub struct Http<C = HttpConnector> {
    client: HttpClient<C>,
    server: HttpServer,
}

impl<C> Http<C> {
    /// Joins both ends.
    #[must_use]
    pub const fn new(client: HttpClient<C>, server: HttpServer) -> Self {
        Self { client, server }
    }

    /// The end that sends.
    #[must_use]
    pub const fn client(&self) -> &HttpClient<C> {
        &self.client
    }

    /// The end that receives.
    #[must_use]
    pub const fn server(&self) -> &HttpServer {
        &self.server
    }

    /// The same bus for values.
    pub fn typed<K>(self, codec: K) -> Typed<Self, K> {
        Typed::with_telemetry(self, codec, Telemetry::new("http"))
    }
}

impl<C: Connect + Clone + Send + Sync + 'static> Publisher<Bytes> for Http<C> {
    type Receipt = Accepted;

    fn send(&self, message: Message<Bytes>) -> impl Future<Output = Result<Accepted>> + Send {
        self.client.send(message)
    }
}

impl<C: Connect + Clone + Send + Sync + 'static> Requester<Bytes, Bytes> for Http<C> {
    fn ask(&self, request: Message<Bytes>) -> impl Future<Output = Result<Message<Bytes>>> + Send {
        self.client.ask(request)
    }
}

impl<C: Send + Sync> Subscriber<Bytes> for Http<C> {
    type Acker = HttpAcker;
    type Deliveries = HttpDeliveries;

    fn subscribe(&self, filter: &str) -> impl Future<Output = Result<HttpDeliveries>> + Send {
        self.server.subscribe(filter)
    }
}

impl<C: Send + Sync> QueueSubscriber<Bytes> for Http<C> {
    fn subscribe_group(&self, filter: &str, group: &str) -> impl Future<Output = Result<HttpDeliveries>> + Send {
        self.server.subscribe_group(filter, group)
    }

    fn instance(&self) -> Option<Instance> {
        self.server.instance()
    }
}

impl<C: Send + Sync> Responder<Bytes, Bytes> for Http<C> {
    type Reply = HttpReply;
    type Requests = HttpRequests;

    fn listen(&self, filter: &str) -> impl Future<Output = Result<HttpRequests>> + Send {
        self.server.listen(filter)
    }

    fn listen_inline(
        &self,
        filter: &str,
        concurrency: usize,
        on_arrival: OnArrival<Bytes, HttpReply>,
    ) -> impl Future<Output = Result<Option<Registration>>> + Send {
        self.server.listen_inline(filter, concurrency, on_arrival)
    }
}

impl<C> Clone for Http<C> {
    fn clone(&self) -> Self {
        Self::new(self.client.clone(), self.server.clone())
    }
}

impl<C> std::fmt::Debug for Http<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").field("client", &self.client).field("server", &self.server).finish()
    }
}
