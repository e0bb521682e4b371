//! What the figures were measured on and with.

use std::fs;
use std::process::Command;
use std::thread;

/// Libraries whose versions belong to the figures.
const LIBRARIES: [&str; 4] = ["omniqueue", "ruststream", "serde_json", "tokio"];

/// One line: processor, cores, system, compiler, versions.
pub(crate) fn describe() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{}, {cores} cores; {}; {}; {}.",
        processor().unwrap_or_else(|| "unknown processor".to_owned()),
        said_by("uname", &["-sr"]),
        said_by("rustc", &["--version"]),
        versions(),
    )
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    Command::new(program)
        .args(arguments)
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| format!("unknown {program}"), |said| said.trim().to_owned())
}

/// The versions in the workspace's lock file.
fn versions() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock");
    let lock = fs::read_to_string(path).unwrap_or_default();
    let packages = lock.split("[[package]]").filter_map(|package| {
        let name = field(package, "name = ")?;
        let known = LIBRARIES.contains(&name);
        known.then_some(format!("{name} {}", field(package, "version = ")?))
    });
    packages.collect::<Vec<_>>().join(", ")
}

fn field<'a>(package: &'a str, key: &str) -> Option<&'a str> {
    let line = package.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.trim_matches('"'))
}
