//! What a server shall be like, before it is started.

use std::path::PathBuf;
use std::time::Duration;

use flux_core::{ErrorKind, Result};

use crate::blocking;
use crate::config::{Options, Tls};
use crate::launch::Launch;
use crate::program::Program;
use crate::server::Server;

/// How often a server is started anew because a program that is not ours took its port in the last moment.
const ATTEMPTS: usize = 3;

/// The options of a [`Server`]: made by [`Server::builder`], started by [`start`](Self::start).
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `start`"]
pub struct ServerBuilder {
    pub(crate) program: Option<PathBuf>,
    pub(crate) name: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) monitoring: bool,
    pub(crate) store: Store,
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) options: Options,
    pub(crate) patience: Duration,
    pub(crate) seat: Option<Seat>,
}

/// Where JetStream keeps its files.
#[derive(Debug, Clone)]
pub(crate) enum Store {
    None,
    Own,
    At(PathBuf),
}

/// A server's place in a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub(crate) cluster: String,
    pub(crate) port: u16,
    pub(crate) routes: Vec<u16>,
}

impl ServerBuilder {
    pub(crate) fn new() -> Self {
        Self {
            program: None,
            name: None,
            port: None,
            monitoring: false,
            store: Store::None,
            config_file: None,
            options: Options::default(),
            patience: Duration::from_secs(30),
            seat: None,
        }
    }

    /// Runs this program instead of looking for one.
    pub fn program(mut self, path: impl Into<PathBuf>) -> Self {
        self.program = Some(path.into());
        self
    }

    /// The server's name, as clients and other servers see it; unless set, `nats-<port>`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Listens on this port of the loopback address; unless set, on one that was free and stays reserved.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Turns JetStream on, with its files in this folder, which outlives the server.
    pub fn jetstream(mut self, folder: impl Into<PathBuf>) -> Self {
        self.store = Store::At(folder.into());
        self
    }

    /// Turns JetStream on, with its files in a folder that is removed when the [`Server`] is dropped.
    pub fn with_jetstream(mut self) -> Self {
        self.store = Store::Own;
        self
    }

    /// Serves the monitoring pages: [`Server::monitoring_url`] says where.
    pub fn with_monitoring(mut self) -> Self {
        self.monitoring = true;
        self
    }

    /// Configures the server by this file of its own language. Address, port, name, log and what else was chosen of
    /// JetStream's folder and monitoring are given as arguments and win over the file.
    ///
    /// # Errors
    ///
    /// [`start`](Self::start) refuses a file together with [`config`](Self::config), [`user`](Self::user),
    /// [`token`](Self::token), [`tls`](Self::tls) or [`max_payload`](Self::max_payload).
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.config_file = Some(path.into());
        self
    }

    /// Adds lines of the server's own configuration language, for what has no option here: nkeys, accounts, leaf nodes,
    /// lame duck times. They come after the options and win over them.
    pub fn config(mut self, lines: &str) -> Self {
        self.options.text.push_str(lines);
        self.options.text.push('\n');
        self
    }

    /// Lets in only this user and others added like it.
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.options.users.push((name.into(), password.into()));
        self
    }

    /// Lets in only clients that know the token.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.options.token = Some(token.into());
        self
    }

    /// Talks TLS and nothing else.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.options.tls = Some(tls);
        self
    }

    /// The largest payload with its headers, in bytes; unless set, the server's own 1 MiB. More than 64 MiB it refuses.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.options.max_payload = Some(bytes);
        self
    }

    /// How long starting and stopping may take; unless set, 30 s each.
    pub fn timeout(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Starts the server and returns when it takes connections and has read its store.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Unavailable`]: there is no nats-server on this machine, and the text says how to get one; or the
    ///   port is taken.
    /// - [`ErrorKind::InvalidInput`]: options that exclude each other, or a program that is none.
    /// - [`ErrorKind::Rejected`]: the server ended at once; the text has the last lines it wrote.
    /// - [`ErrorKind::TimedOut`]: it was not ready in time.
    ///
    /// # Cancel safety
    ///
    /// A server whose `start` is dropped is removed as soon as it has started.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn start(self) -> Result<Server> {
        blocking::run(move || self.start_now()).await
    }

    pub(crate) fn start_now(&self) -> Result<Server> {
        let program = match &self.program {
            Some(path) => Program::at(path.clone(), "`program`")?,
            None => Program::find()?,
        };
        let start = || Server::start_new(Launch::prepare(self, program.clone())?);
        let may_move = self.port.is_none() && self.seat.is_none();
        for _ in 1..ATTEMPTS {
            match start() {
                Err(error) if may_move && error.kind() == ErrorKind::Unavailable => {}
                result => return result,
            }
        }
        start()
    }
}
