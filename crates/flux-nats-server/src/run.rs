//! The process of a server: at most one at a time, never left behind.

use std::process::{Child, ExitStatus};

use flux_core::Result;

use crate::blocking;
use crate::failure;
use crate::guard::Guard;
use crate::launch::Launch;
use crate::probe;
use crate::signal::{self, Signal};

/// What a server writes when its store is read and its clients may come.
const READY: &str = "Server is ready";

/// What a server writes when it lets go of its clients.
const LAME_DUCK: &str = "Entering lame duck mode";

/// A process that may run.
#[derive(Debug)]
pub(crate) struct Run {
    child: Option<Child>,
    paused: bool,
    guard: Guard,
}

impl Run {
    pub(crate) fn new(guard: Guard) -> Self {
        Self { child: None, paused: false, guard }
    }

    /// The number of the process, when there is one.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Whether it runs; one that ended by itself is noticed here.
    pub(crate) fn is_running(&mut self) -> Result<bool> {
        let Some(child) = &mut self.child else {
            return Ok(false);
        };
        match child.try_wait() {
            Ok(None) => Ok(true),
            Ok(Some(_)) => {
                self.gone();
                Ok(false)
            }
            Err(error) => Err(failure::system("look after nats-server", error)),
        }
    }

    /// Starts it and waits until clients may come; one that does not get there is gone afterwards.
    pub(crate) fn start(&mut self, launch: &Launch) -> Result<()> {
        const START: &str = "start nats-server";
        if self.is_running()? {
            return Err(failure::wrong_state(START, "it runs: call `restart`"));
        }
        let before = failure::log(&launch.log).len();
        let spawned = launch.command()?.spawn();
        let child = spawned.map_err(|e| failure::system(format_args!("run {}", launch.program.path.display()), e))?;
        self.guard.watch(child.id());
        self.child = Some(child);

        let ready = self.reach(START, launch, |log| {
            log.get(before..).is_some_and(|new| new.contains(READY)) && probe::accepts(launch.port)
        });
        if ready.is_err() {
            self.end();
        }
        ready
    }

    /// Asks it to end and waits for that. A paused one is woken up for it.
    pub(crate) fn stop(&mut self, launch: &Launch) -> Result<()> {
        const STOP: &str = "stop nats-server";
        self.signal(STOP, Signal::Terminate)?;
        if self.paused {
            self.signal(STOP, Signal::Continue)?;
            self.paused = false;
        }
        let ended = blocking::poll(launch.patience, || Ok((!self.is_running()?).then_some(())))?;
        ended.ok_or_else(|| failure::late(STOP, "did not end", launch))
    }

    /// Ends it without a warning.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.expect_running("kill nats-server")?;
        self.end();
        Ok(())
    }

    /// Halts it and waits until it stands still.
    pub(crate) fn pause(&mut self, launch: &Launch) -> Result<()> {
        const PAUSE: &str = "pause nats-server";
        if self.paused {
            return Err(failure::wrong_state(PAUSE, "it is paused already"));
        }
        self.signal(PAUSE, Signal::Stop)?;
        self.paused = true;
        let halted = blocking::poll(launch.patience, || {
            self.expect_running(PAUSE)?;
            Ok(self.child.as_ref().is_some_and(signal::is_stopped).then_some(()))
        })?;
        halted.ok_or_else(|| failure::late(PAUSE, "did not halt", launch))
    }

    /// Lets it go on.
    pub(crate) fn resume(&mut self) -> Result<()> {
        const RESUME: &str = "resume nats-server";
        self.expect_running(RESUME)?;
        if !self.paused {
            return Err(failure::wrong_state(RESUME, "it is not paused"));
        }
        self.signal(RESUME, Signal::Continue)?;
        self.paused = false;
        Ok(())
    }

    /// Makes it let go of its clients; it ends by itself some time later.
    pub(crate) fn lame_duck(&mut self, launch: &Launch) -> Result<()> {
        const QUIT: &str = "put nats-server into lame duck mode";
        let before = failure::log(&launch.log).len();
        self.signal(QUIT, Signal::LameDuck)?;
        let said = |log: &str| log.get(before..).is_some_and(|new| new.contains(LAME_DUCK));
        // One without clients ends at once, which is as good.
        match self.reach(QUIT, launch, said) {
            Err(_) if said(&failure::log(&launch.log)) => Ok(()),
            result => result,
        }
    }

    fn expect_running(&mut self, operation: &'static str) -> Result<()> {
        if self.is_running()? { Ok(()) } else { Err(failure::wrong_state(operation, "it does not run")) }
    }

    fn signal(&mut self, operation: &'static str, signal: Signal) -> Result<()> {
        self.expect_running(operation)?;
        self.child.as_ref().map_or(Ok(()), |child| signal::send(child, signal))
    }

    /// Waits until the log says so.
    fn reach(&mut self, operation: &'static str, launch: &Launch, there: impl Fn(&str) -> bool) -> Result<()> {
        let reached = blocking::poll(launch.patience, || {
            let ended = self.ended()?;
            let log = failure::log(&launch.log);
            match ended {
                Some(status) => Err(failure::exited(operation, status, &log)),
                None => Ok(there(&log).then_some(())),
            }
        })?;
        reached.ok_or_else(|| failure::late(operation, "did not get there", launch))
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let Some(child) = &mut self.child else {
            return Ok(None);
        };
        let status = child.try_wait().map_err(|error| failure::system("look after nats-server", error))?;
        if status.is_some() {
            self.gone();
        }
        Ok(status)
    }

    fn end(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        // Before it is reaped: afterwards its number may be another's.
        self.guard.forget();
        self.paused = false;
        // Both fail only for a process that is gone.
        let _ = child.kill();
        let _ = child.wait();
    }

    fn gone(&mut self) {
        self.guard.forget();
        self.child = None;
        self.paused = false;
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.end();
    }
}
