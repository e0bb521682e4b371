//! A watcher that cleans up when this process dies without running its destructors.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use flux_core::Result;

use crate::failure;

/// Remembers the last line it reads, a process or nothing. Our death ends the input; then it kills and removes.
const SCRIPT: &str = r#"
while read -r line; do pid=$line; done
test -z "$pid" || kill -9 "$pid"
rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }
"#;

/// The watcher of one server. A kernel's own means to the same end (a signal at the parent's death) follows the thread
/// that started the process, and a runtime's threads come and go; a pipe follows the process.
#[derive(Debug)]
pub(crate) struct Guard {
    watcher: Child,
}

impl Guard {
    /// Starts to watch over the folder.
    pub(crate) fn new(scratch: &Path) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "sh"]).arg(scratch);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        detach(&mut command);
        let watcher =
            command.spawn().map_err(|error| failure::system("start `sh`, which cleans up after us", error))?;
        Ok(Self { watcher })
    }

    /// Watches over this process too.
    pub(crate) fn watch(&mut self, pid: u32) {
        self.write(&pid.to_string());
    }

    /// Forgets the process, because its number is about to be free for others.
    pub(crate) fn forget(&mut self) {
        self.write("");
    }

    fn write(&mut self, line: &str) {
        if let Some(pipe) = &mut self.watcher.stdin {
            // It fails when someone killed the watcher; then there is no watcher, and all else works.
            let _ = writeln!(pipe, "{line}");
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.watcher.kill();
        let _ = self.watcher.wait();
    }
}

/// Takes a process out of our group, so that Ctrl-C in a terminal reaches us first.
#[cfg(unix)]
pub(crate) fn detach(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

#[cfg(not(unix))]
pub(crate) fn detach(_: &mut Command) {}
