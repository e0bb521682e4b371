//! A server that was started, and everything that can be done to it.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flux_core::Result;

use crate::blocking;
use crate::builder::ServerBuilder;
use crate::failure;
use crate::guard::Guard;
use crate::launch::Launch;
use crate::run::Run;

/// How long a wait may hold a thread before it looks whether anyone still waits.
const SLICE: Duration = Duration::from_millis(20);

/// A nats-server of our own on the loopback address.
///
/// Port, store and log stay the same when it is stopped or killed and started again. Dropping this kills the process,
/// waits for it, and removes all files but the folder given to [`ServerBuilder::jetstream`]; so does a watcher when our
/// process dies first.
///
/// All calls take `&self`, so a fault test can share the server; calls that change its state wait for each other. The
/// ones that are `async` need a tokio runtime, and go on to their end in the background when their future is dropped.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
}

/// The order of the fields is the order of cleaning up: first the process, then its files and ports.
#[derive(Debug)]
struct Shared {
    run: Mutex<Run>,
    /// 0 while nothing runs; apart from `run`, so that reading it never waits.
    pid: AtomicU32,
    launch: Launch,
}

impl Server {
    /// A server with no option set: core NATS on a free port, without JetStream.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    pub(crate) fn start_new(launch: Launch) -> Result<Self> {
        let guard = Guard::new(launch.scratch.path())?;
        let shared = Shared { run: Mutex::new(Run::new(guard)), pid: AtomicU32::new(0), launch };
        shared.change(Run::start)?;
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Where clients connect: `nats://127.0.0.1:<port>`, or `tls://…` when [`tls`](ServerBuilder::tls) was given.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shared.launch.url
    }

    /// The port that clients connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.shared.launch.port
    }

    /// The server's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.launch.name
    }

    /// The release of the program that runs, such as `2.15.1`.
    #[must_use]
    pub fn version(&self) -> String {
        self.shared.launch.program.version.to_string()
    }

    /// The base of the monitoring pages, such as `http://127.0.0.1:<port>`, when
    /// [`with_monitoring`](ServerBuilder::with_monitoring) was called.
    #[must_use]
    pub fn monitoring_url(&self) -> Option<&str> {
        self.shared.launch.monitoring.as_ref().map(|(_, url)| url.as_str())
    }

    /// The folder of JetStream's files, when it was turned on here.
    #[must_use]
    pub fn store_dir(&self) -> Option<&Path> {
        self.shared.launch.store.as_deref()
    }

    /// The file that the server logs into, from its first start on. It goes away with this.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.shared.launch.log
    }

    /// All that the server has logged since its first start.
    #[must_use]
    pub fn logs(&self) -> String {
        failure::log(self.log_path())
    }

    /// The number of the process while one is known to run. One that ended by itself is noticed by the next call that
    /// changes something and by [`wait`](Self::wait).
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        Some(self.shared.pid.load(Ordering::Acquire)).filter(|pid| *pid != 0)
    }

    /// Starts the server again, on the same port and store, after it was stopped or killed or has ended by itself.
    ///
    /// # Errors
    ///
    /// Those of [`ServerBuilder::start`]; `InvalidInput` when it runs.
    pub async fn start(&self) -> Result<()> {
        self.change(Run::start).await
    }

    /// Asks the server to end (`SIGTERM`) and waits until it has. A paused one is resumed for that.
    ///
    /// # Errors
    ///
    /// `TimedOut` when it has not ended in time, and it goes on; `InvalidInput` when it does not run.
    pub async fn stop(&self) -> Result<()> {
        self.change(Run::stop).await
    }

    /// Stops the server if it runs, and starts it on the same port and store.
    ///
    /// # Errors
    ///
    /// Those of [`stop`](Self::stop) and [`start`](Self::start), but for `InvalidInput`.
    pub async fn restart(&self) -> Result<()> {
        let restart = |run: &mut Run, launch: &Launch| {
            if run.is_running()? {
                run.stop(launch)?;
            }
            run.start(launch)
        };
        self.change(restart).await
    }

    /// Ends the server without a warning (`SIGKILL`) and waits until it is gone.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when it does not run.
    pub async fn kill(&self) -> Result<()> {
        self.change(|run, _| run.kill()).await
    }

    /// Halts the server (`SIGSTOP`): connections stay open and nobody answers. Returns when it stands still.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when it does not run or is paused already.
    pub async fn pause(&self) -> Result<()> {
        self.change(Run::pause).await
    }

    /// Lets a paused server go on (`SIGCONT`).
    ///
    /// # Errors
    ///
    /// `InvalidInput` when it does not run or is not paused.
    pub async fn resume(&self) -> Result<()> {
        self.change(|run, _| run.resume()).await
    }

    /// Puts the server into lame duck mode (`SIGUSR2`): it takes no more connections, tells its clients, lets go of them
    /// one by one, and ends. Returns when that has begun; [`wait`](Self::wait) waits for the end. How long it takes is
    /// set by `lame_duck_grace_period` (10 s) and `lame_duck_duration` (2 min, at least 30 s) in the configuration.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when it does not run.
    pub async fn lame_duck(&self) -> Result<()> {
        self.change(Run::lame_duck).await
    }

    /// Waits until the server does not run.
    ///
    /// # Errors
    ///
    /// `Other` when the system does not tell.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the wait and nothing else.
    pub async fn wait(&self) -> Result<()> {
        loop {
            let shared = Arc::clone(&self.shared);
            // The lock is free between two looks, so others can end what this waits for.
            let look = move || blocking::poll(SLICE, || Ok((!shared.change(|run, _| run.is_running())?).then_some(())));
            if blocking::run(look).await?.is_some() {
                return Ok(());
            }
        }
    }

    async fn change<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Run, &Launch) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let shared = Arc::clone(&self.shared);
        blocking::run(move || shared.change(act)).await
    }

    pub(crate) fn monitoring_port(&self) -> Option<u16> {
        self.shared.launch.monitoring.as_ref().map(|(port, _)| *port)
    }
}

impl Shared {
    fn change<T>(&self, act: impl FnOnce(&mut Run, &Launch) -> Result<T>) -> Result<T> {
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut run, &self.launch);
        self.pid.store(run.pid().unwrap_or(0), Ordering::Release);
        result
    }
}
