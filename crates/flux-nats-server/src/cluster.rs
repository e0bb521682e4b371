//! Servers that know each other, for streams with replicas and tests that take a leader away.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use flux_core::{Error, ErrorKind, Result};

use crate::blocking;
use crate::builder::{Seat, ServerBuilder, Store};
use crate::failure;
use crate::port::Reserved;
use crate::probe;
use crate::server::Server;

/// Servers named `n1`, `n2`, …, each with a route to each other.
///
/// With JetStream they have a leader for streams, and streams of up to as many replicas as there are servers can be
/// made at once. Which server leads a stream, its info tells by name: [`server`](Self::server) finds it.
#[derive(Debug)]
pub struct Cluster {
    servers: Vec<Server>,
    url: String,
    jetstream: bool,
    patience: Duration,
    _routes: Vec<Reserved>,
}

/// The options of a [`Cluster`]: made by [`Cluster::of`], started by [`start`](Self::start).
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `start`"]
pub struct ClusterBuilder {
    size: usize,
    each: ServerBuilder,
}

impl Cluster {
    /// A cluster of that many servers, at least two; three is the least that survives the loss of one.
    pub fn of(size: usize) -> ClusterBuilder {
        ClusterBuilder { size, each: ServerBuilder::new().with_monitoring() }
    }

    /// The servers, in the order of their names.
    #[must_use]
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// The server of that name.
    #[must_use]
    pub fn server(&self, name: &str) -> Option<&Server> {
        self.servers.iter().find(|server| server.name() == name)
    }

    /// The addresses of all servers, with commas between, as clients take them.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until the servers that run have routes to each other and, with JetStream, a leader that hears from each.
    ///
    /// # Errors
    ///
    /// `TimedOut` when they do not get there in the time of [`ServerBuilder::timeout`].
    pub async fn ready(&self) -> Result<()> {
        let members: Vec<_> =
            self.servers.iter().filter(|server| server.pid().is_some()).filter_map(Member::of).collect();
        let (jetstream, patience) = (self.jetstream, self.patience);
        blocking::run(move || await_ready(&members, jetstream, patience)).await
    }
}

impl ClusterBuilder {
    /// Turns JetStream on, with each server's files in a folder of its name below this one, which outlives the cluster.
    pub fn jetstream(mut self, folder: impl Into<PathBuf>) -> Self {
        self.each = self.each.jetstream(folder);
        self
    }

    /// Turns JetStream on, with files that are removed when the [`Cluster`] is dropped.
    pub fn with_jetstream(mut self) -> Self {
        self.each = self.each.with_jetstream();
        self
    }

    /// Sets options of every server alike: `cluster.each(|server| server.max_payload(1024))`. Names are the cluster's.
    pub fn each(mut self, set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        self.each = set(self.each);
        self
    }

    /// Starts all servers and waits until they have found each other, as [`Cluster::ready`] does.
    ///
    /// # Errors
    ///
    /// Those of [`ServerBuilder::start`]; `InvalidInput` for less than two servers or a fixed port.
    ///
    /// # Cancel safety
    ///
    /// Servers whose `start` is dropped are removed as soon as they have started.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn start(self) -> Result<Cluster> {
        let cluster = blocking::run(move || self.start_now()).await?;
        cluster.ready().await?;
        Ok(cluster)
    }

    fn start_now(self) -> Result<Cluster> {
        if self.size < 2 {
            return Err(failure::invalid(format!("a cluster has at least 2 servers, not {}", self.size)));
        }
        if self.each.port.is_some() {
            return Err(failure::invalid("servers of a cluster cannot share one port: leave it out"));
        }
        let routes: Vec<Reserved> = (0..self.size).map(|_| Reserved::new()).collect::<Result<_>>()?;
        let ports: Vec<u16> = routes.iter().map(Reserved::port).collect();
        let builders: Vec<_> = (1..).zip(&ports).map(|(number, port)| self.member(number, *port, &ports)).collect();
        let servers = start_all(&builders)?;
        let urls: Vec<_> = servers.iter().map(Server::url).collect();
        let url = urls.join(",");
        let jetstream = !matches!(self.each.store, Store::None);
        Ok(Cluster { url, servers, jetstream, patience: self.each.patience, _routes: routes })
    }

    fn member(&self, number: usize, port: u16, routes: &[u16]) -> ServerBuilder {
        let name = format!("n{number}");
        let mut builder = self.each.clone();
        if let Store::At(folder) = &builder.store {
            builder.store = Store::At(folder.join(&name));
        }
        builder.seat = Some(Seat { cluster: "flux".to_owned(), port, routes: routes.to_vec() });
        builder.name(name).with_monitoring()
    }
}

/// Each in a thread of its own: none has a leader before most of them run.
fn start_all(builders: &[ServerBuilder]) -> Result<Vec<Server>> {
    thread::scope(|scope| {
        let start = |builder| scope.spawn(move || ServerBuilder::start_now(builder));
        let starts: Vec<_> = builders.iter().map(start).collect();
        let died = || Error::new(ErrorKind::Other, "a thread that starts a server panicked");
        starts.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(died()))).collect()
    })
}

fn await_ready(members: &[Member], jetstream: bool, patience: Duration) -> Result<()> {
    let formed = || {
        let routed = members.iter().all(|member| member.sees(members));
        Ok((routed && (!jetstream || has_leader(members))).then_some(()))
    };
    blocking::poll(patience, formed)?.ok_or_else(|| {
        let names: Vec<_> = members.iter().map(|member| member.name.as_str()).collect();
        let text = format!("{} did not form a cluster within {patience:?}", names.join(", "));
        Error::new(ErrorKind::TimedOut, text).with_operation("start a cluster")
    })
}

/// Whether all follow one leader, and that one has heard from all.
fn has_leader(members: &[Member]) -> bool {
    let healthy = |member: &Member| member.page("/healthz").contains("\"status\":\"ok\"");
    let leads = |member: &Member| {
        let page = member.page("/jsz");
        let followers = page.matches("\"current\":true").count();
        page.contains(&format!("\"leader\":\"{}\"", member.name)) && followers + 1 >= members.len()
    };
    members.iter().all(healthy) && members.iter().any(leads)
}

/// How a server of the cluster is asked.
#[derive(Debug)]
struct Member {
    name: String,
    monitoring: u16,
}

impl Member {
    fn of(server: &Server) -> Option<Self> {
        Some(Self { name: server.name().to_owned(), monitoring: server.monitoring_port()? })
    }

    fn sees(&self, members: &[Self]) -> bool {
        let page = self.page("/routez");
        let others = members.iter().filter(|other| other.name != self.name);
        others.into_iter().all(|other| page.contains(&format!("\"remote_name\":\"{}\"", other.name)))
    }

    fn page(&self, path: &str) -> String {
        probe::page(self.monitoring, path).unwrap_or_default()
    }
}
