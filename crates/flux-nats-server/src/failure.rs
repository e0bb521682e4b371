//! What can go wrong, as errors of flux: each says what to do, and shows what the server said.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::process::ExitStatus;

use flux_core::{Error, ErrorKind};

use crate::launch::Launch;

/// How much of a log an error shows.
const LAST_LINES: usize = 20;

/// A call that the server's state does not allow.
pub(crate) fn wrong_state(operation: &'static str, why: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, why).with_operation(operation)
}

/// An option that cannot be kept.
pub(crate) fn invalid(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, why.into()).with_operation("configure nats-server")
}

/// Something that the operating system refused.
pub(crate) fn system(what: impl Display, error: io::Error) -> Error {
    Error::new(ErrorKind::Other, format!("cannot {what}: {error}")).with_retryable(false).with_source(error)
}

/// The server ended where it should have run.
pub(crate) fn exited(operation: &'static str, status: ExitStatus, log: &str) -> Error {
    let kind = if log.contains("address already in use") { ErrorKind::Unavailable } else { ErrorKind::Rejected };
    Error::new(kind, format!("nats-server ended with {status}; it said last:\n{}", tail(log))).with_operation(operation)
}

/// The server did not get there in time.
pub(crate) fn late(operation: &'static str, what: &str, launch: &Launch) -> Error {
    let said = log(&launch.log);
    let text = format!("nats-server {what} within {:?}; it said last:\n{}", launch.patience, tail(&said));
    Error::new(ErrorKind::TimedOut, text).with_operation(operation)
}

/// The whole log, or why it cannot be read.
pub(crate) fn log(path: &Path) -> String {
    match std::fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => format!("(no log at {}: {error})", path.display()),
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let skipped = lines.len().saturating_sub(LAST_LINES);
    let shown: Vec<String> = lines.iter().skip(skipped).map(|line| format!("  {line}")).collect();
    shown.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_shown() {
        let log: Vec<String> = (1..=30).map(|n| format!("line {n}")).collect();
        let shown = tail(&log.join("\n"));
        assert_eq!(shown.lines().count(), LAST_LINES);
        assert!(shown.starts_with("  line 11\n") && shown.ends_with("line 30"));
    }
}
