//! The OpenTelemetry collector that tests send to: a program of the crate registry, built once.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::failure::Failure;

const PACKAGE: &str = "otelite";
const VERSION: &str = "0.1.156";

/// Says where the collector lies, or builds it.
pub(super) fn ensure(tools: &Path) -> Result<String, Failure> {
    let folder = tools.join(format!("{PACKAGE}-{VERSION}"));
    let program = folder.join("bin").join(PACKAGE);
    if !is_usable(&program) {
        install(tools, &folder).map_err(|why| no_collector(&why))?;
    }
    if !is_usable(&program) {
        return Err(no_collector("the built program does not run here"));
    }
    Ok(format!("{} is {PACKAGE} {VERSION}", program.display()))
}

/// With its own lock file, quickly and small: it receives a few spans.
fn install(tools: &Path, folder: &Path) -> Result<(), String> {
    let scratch = tools.join(format!("{PACKAGE}-{VERSION}.{}.part", std::process::id()));
    println!("$ cargo install {PACKAGE} --version {VERSION} --locked --debug (some minutes, once)");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["install", PACKAGE, "--version", VERSION, "--locked", "--debug", "--quiet", "--no-track", "--force"]);
    cargo.arg("--root").arg(folder).arg("--target-dir").arg(&scratch);
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_PROFILE_DEV_STRIP", "true");
    let status = cargo.status().map_err(|error| format!("cannot run cargo: {error}"));
    // Nothing may be there when cargo failed early.
    let _ = fs::remove_dir_all(&scratch);
    if status?.success() { Ok(()) } else { Err("`cargo install` failed; see above".to_owned()) }
}

fn is_usable(program: &Path) -> bool {
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).split_whitespace().nth(1) == Some(VERSION))
}

fn no_collector(why: &str) -> Failure {
    format!(
        "no {PACKAGE} {VERSION}, and it could not be built: {why}\n\
         the tests of `testing/` need it: install pkg-config and the headers of OpenSSL (`libssl-dev`), go online, and run \
         `cargo xtask tools` again"
    )
    .into()
}
