//! Loopback ports that stay a server's own while it is down.

use std::fs::{self, File, TryLockError};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};

use flux_core::{Error, ErrorKind, Result};

use crate::{failure, scratch};

/// Below the ports that Linux, macOS and the BSDs give to outgoing connections: a client that tries to reach a server
/// that is down must not be given the server's own port.
const RANGE: Range<u16> = 20_000..32_000;

/// A port that no other server of this crate takes, in this process or another of the same user, until this is dropped.
#[derive(Debug)]
pub(crate) struct Reserved {
    port: u16,
    path: PathBuf,
    _lock: File,
}

impl Reserved {
    /// A port that is free now.
    pub(crate) fn new() -> Result<Self> {
        let folder = folder();
        let create = fs::create_dir_all(&folder);
        create.map_err(|error| failure::system(format_args!("create {}", folder.display()), error))?;
        let length = RANGE.end - RANGE.start;
        let first = u16::try_from(scratch::random() % u64::from(length)).unwrap_or(0);
        for step in 0..length {
            let port = RANGE.start + (first + step) % length;
            if let Some(reserved) = Self::take(&folder, port)? {
                return Ok(reserved);
            }
        }
        Err(Error::new(ErrorKind::Unavailable, format!("no port of {RANGE:?} is free")))
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `None` when someone has it.
    fn take(folder: &Path, port: u16) -> Result<Option<Self>> {
        let path = folder.join(port.to_string());
        let what = format_args!("lock {}", path.display());
        let lock = File::options().create(true).append(true).open(&path).map_err(|e| failure::system(what, e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(failure::system(what, error)),
        }
        // Its last owner may have removed the file between our opening and our locking it.
        let ours = is_file_at(&lock, &path) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        Ok(ours.then(|| Self { port, path, _lock: lock }))
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        // Still locked: whoever waits for the lock sees that the file is gone and looks for another port.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(unix)]
fn folder() -> PathBuf {
    let user = rustix::process::getuid().as_raw();
    std::env::temp_dir().join(format!("flux-nats-server-ports-{user}"))
}

#[cfg(not(unix))]
fn folder() -> PathBuf {
    std::env::temp_dir().join("flux-nats-server-ports")
}

#[cfg(unix)]
fn is_file_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |found: io::Result<fs::Metadata>| found.map(|found| (found.dev(), found.ino()));
    matches!((identity(file.metadata()), identity(fs::metadata(path))), (Ok(ours), Ok(theirs)) if ours == theirs)
}

#[cfg(not(unix))]
fn is_file_at(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_is_nobody_elses_and_free_again_afterwards() {
        let reserved = Reserved::new().expect("a free port");
        let again = || Reserved::take(&folder(), reserved.port).expect("a folder for locks");
        assert!(again().is_none());
        let (port, path) = (reserved.port, reserved.path.clone());
        drop(reserved);
        assert!(!path.exists());
        assert!(Reserved::take(&folder(), port).expect("a folder for locks").is_some());
    }

    #[test]
    fn a_port_in_use_is_not_reserved() {
        let reserved = Reserved::new().expect("a free port");
        let port = reserved.port;
        drop(reserved);
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("the port is free");
        assert!(Reserved::take(&folder(), port).expect("a folder for locks").is_none());
    }
}
