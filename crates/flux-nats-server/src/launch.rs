//! How one server is started, each time the same: its program, arguments, files and ports.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use flux_core::Result;

use crate::builder::{Seat, ServerBuilder, Store};
use crate::failure;
use crate::guard;
use crate::port::Reserved;
use crate::program::Program;
use crate::scratch::Scratch;

/// Everything that stays when the server is stopped and started again.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) program: Program,
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) url: String,
    pub(crate) monitoring: Option<(u16, String)>,
    pub(crate) store: Option<PathBuf>,
    pub(crate) log: PathBuf,
    pub(crate) patience: Duration,
    args: Vec<OsString>,
    pub(crate) scratch: Scratch,
    _ports: Vec<Reserved>,
}

impl Launch {
    /// Reserves the ports and writes the files.
    pub(crate) fn prepare(builder: &ServerBuilder, program: Program) -> Result<Self> {
        let scratch = Scratch::new()?;
        let mut ports = Vec::new();
        let port = builder.port.map_or_else(|| reserve(&mut ports), Ok)?;
        let monitoring = builder.monitoring.then(|| reserve(&mut ports)).transpose()?;
        let store = match &builder.store {
            Store::None => None,
            Store::Own => Some(scratch.path().join("store")),
            Store::At(folder) => Some(folder.clone()),
        };
        let name = builder.name.clone().unwrap_or_else(|| format!("nats-{port}"));
        let log = scratch.path().join("server.log");

        let mut args = Args::default();
        args.pair("--addr", "127.0.0.1").pair("--port", port.to_string());
        args.pair("--server_name", &name).pair("--log", &log);
        if let Some(file) = config_file(builder, &scratch)? {
            args.pair("--config", file);
        }
        if let Some(folder) = &store {
            args.flag("--jetstream").pair("--store_dir", folder);
        }
        if let Some(port) = monitoring {
            args.pair("--http_port", port.to_string());
        }
        if let Some(seat) = &builder.seat {
            args.seat(seat);
        }
        let scheme = if builder.options.tls.is_some() { "tls" } else { "nats" };
        Ok(Self {
            program,
            name,
            port,
            url: format!("{scheme}://127.0.0.1:{port}"),
            monitoring: monitoring.map(|port| (port, format!("http://127.0.0.1:{port}"))),
            store,
            log,
            patience: builder.patience,
            args: args.0,
            scratch,
            _ports: ports,
        })
    }

    /// The command line, with all that it prints going where the server's log goes.
    pub(crate) fn command(&self) -> Result<Command> {
        let log = || {
            let file = fs::File::options().create(true).append(true).open(&self.log);
            file.map_err(|error| failure::system(format_args!("open {}", self.log.display()), error))
        };
        let mut command = Command::new(&self.program.path);
        command.args(&self.args).stdin(Stdio::null()).stdout(log()?).stderr(log()?);
        guard::detach(&mut command);
        Ok(command)
    }
}

fn reserve(ports: &mut Vec<Reserved>) -> Result<u16> {
    let reserved = Reserved::new()?;
    let port = reserved.port();
    ports.push(reserved);
    Ok(port)
}

/// The user's file, or one of ours when there is something to write.
fn config_file(builder: &ServerBuilder, scratch: &Scratch) -> Result<Option<PathBuf>> {
    let rendered = builder.options.render()?;
    match (&builder.config_file, builder.options.is_empty()) {
        (Some(file), true) => Ok(Some(file.clone())),
        (Some(file), false) => Err(failure::invalid(format!(
            "users, token, TLS, max_payload and further lines belong into {} when there is a config file",
            file.display()
        ))),
        (None, true) => Ok(None),
        (None, false) => write(&scratch.path().join("server.conf"), &rendered).map(Some),
    }
}

fn write(file: &Path, text: &str) -> Result<PathBuf> {
    let written = fs::write(file, text);
    written.map_err(|error| failure::system(format_args!("write {}", file.display()), error))?;
    Ok(file.to_owned())
}

#[derive(Debug, Default)]
struct Args(Vec<OsString>);

impl Args {
    fn flag(&mut self, name: &str) -> &mut Self {
        self.0.push(name.into());
        self
    }

    fn pair(&mut self, name: &str, value: impl Into<OsString>) -> &mut Self {
        self.0.extend([name.into(), value.into()]);
        self
    }

    fn seat(&mut self, seat: &Seat) -> &mut Self {
        let url = |port: &u16| format!("nats://127.0.0.1:{port}");
        let routes: Vec<_> = seat.routes.iter().map(url).collect();
        self.pair("--cluster_name", &seat.cluster).pair("--cluster", url(&seat.port)).pair("--routes", routes.join(","))
    }
}
