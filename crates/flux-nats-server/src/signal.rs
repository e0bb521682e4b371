//! The signals that a server understands, to a process that nobody has waited for yet.

use std::process::Child;

use flux_core::Result;

/// What to tell the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Continue,
    LameDuck,
    Stop,
    Terminate,
}

#[cfg(unix)]
pub(crate) fn send(child: &Child, signal: Signal) -> Result<()> {
    use rustix::process::{Pid, Signal as Native, kill_process};

    let native = match signal {
        Signal::Continue => Native::CONT,
        Signal::LameDuck => Native::USR2,
        Signal::Stop => Native::STOP,
        Signal::Terminate => Native::TERM,
    };
    let sent = kill_process(Pid::from_child(child), native);
    sent.map_err(|error| crate::failure::system(format_args!("signal nats-server {}", child.id()), error.into()))
}

/// Whether the process stands still. The signal to stop takes a moment to reach all threads.
#[cfg(unix)]
pub(crate) fn is_stopped(child: &Child) -> bool {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

    let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::Pid(Pid::from_child(child)), options), Ok(Some(_)))
}

#[cfg(not(unix))]
pub(crate) fn send(_: &Child, _: Signal) -> Result<()> {
    let why = "this system has no signals: kill the server instead";
    Err(flux_core::Error::new(flux_core::ErrorKind::Unsupported, why))
}

#[cfg(not(unix))]
pub(crate) fn is_stopped(_: &Child) -> bool {
    false
}
