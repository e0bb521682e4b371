//! Runs a test's other half in a process of its own: the same program, told by a variable which half it is.

use std::path::Path;
use std::process::{Command, Stdio};

/// Set in the other process only.
const ROLE: &str = "FLUX_NATS_SERVER_TEST_ROLE";

/// Whether this is the other process.
pub(crate) fn is_other() -> bool {
    std::env::var_os(ROLE).is_some()
}

/// This program, as the other half of that test.
pub(crate) fn other(program: &Path, test: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["--exact", test, "--nocapture"]).env(ROLE, "other");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}
