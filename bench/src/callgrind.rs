//! Instructions per message of a contender, counted by callgrind in the measured region.

use std::env;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::process::Command;

use crate::Result;
use crate::child;
use crate::measurement::count;
use crate::stopwatch::REGION;

/// Messages of the shorter run; the longer one has twice as many. Both are whole batches.
const MESSAGES: u64 = 2_000;

/// Instructions one message costs `contender`: what the second half of a run adds, so that what
/// happens once cancels out.
///
/// # Errors
///
/// When valgrind is missing or fails, or the contender does.
pub fn per_message(contender: &str) -> Result<f64> {
    let once = counted(contender, MESSAGES)?;
    let twice = counted(contender, 2 * MESSAGES)?;
    let added = twice.checked_sub(once).ok_or("the longer run took fewer instructions")?;
    Ok(count(added) / count(MESSAGES))
}

/// Whether there is a valgrind to count with.
#[must_use]
pub fn is_installed() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}

fn counted(contender: &str, messages: u64) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no"])
        .arg(format!("--toggle-collect={REGION}"))
        .arg("--callgrind-out-file=/dev/null")
        .arg(env::current_exe()?)
        .args(child::arguments(contender, messages, 1))
        .output()
        .map_err(missing)?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("valgrind failed: {said}").into());
    }
    match collected(&said) {
        // The region is entered in every run, so nothing means that its name was not found.
        None | Some(0) => Err(format!("callgrind counted nothing in {REGION}: {said}").into()),
        Some(instructions) => Ok(instructions),
    }
}

/// The total that callgrind reports on its standard error.
fn collected(said: &str) -> Option<u64> {
    let (_, number) = said.lines().find_map(|line| line.split_once("Collected :"))?;
    number.trim().parse().ok()
}

/// What to say when valgrind could not be started.
fn missing(error: io::Error) -> Box<dyn Error + Send + Sync> {
    if error.kind() == ErrorKind::NotFound {
        "instructions are counted with valgrind, which is not installed: apt-get install valgrind".into()
    } else {
        error.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_from_what_callgrind_says() {
        let said = "==7== \n==7== Events    : Ir\n==7== Collected : 3517646\n==7== \n";
        assert_eq!(collected(said), Some(3_517_646));
        assert_eq!(collected("==7== Collected :"), None);
    }

    #[test]
    fn a_missing_valgrind_says_how_to_get_it() {
        let error = missing(ErrorKind::NotFound.into());
        assert!(error.to_string().contains("apt-get install valgrind"));
    }
}
