//! The harness's other programs: built with cargo, run once per figure.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::measurement::count;

/// Where cargo finds this package.
const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

/// One of the harness's programs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Build {
    /// Whether its allocator counts. Times are taken without.
    pub(crate) counting: bool,
    /// Whether flux has telemetry compiled in.
    pub(crate) telemetry: bool,
}

/// One line of what a child reports: one round.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Line {
    /// Messages handled.
    pub(crate) messages: u64,
    /// Nanoseconds in measured regions.
    pub(crate) nanos: u64,
    /// Calls to the allocator in measured regions.
    pub(crate) allocations: u64,
}

impl Build {
    /// The program that is running.
    pub(crate) const RUNNING: Self = Self { counting: false, telemetry: cfg!(feature = "telemetry") };

    /// Builds the program in the profile of the running one; cargo does nothing when it is up to
    /// date.
    pub(crate) fn program(self) -> Result<PathBuf> {
        let running = env::current_exe()?;
        // Tests run from `target/debug/deps`.
        let directory = running
            .ancestors()
            .skip(1)
            .find(|directory| !directory.ends_with("deps"))
            .ok_or("the running program is in no directory")?;
        let profile = directory.file_name().ok_or("the profile has no name")?;
        let target = directory.parent().ok_or("there is no target directory")?;
        let target = if self.telemetry == Self::RUNNING.telemetry {
            target.to_owned()
        } else {
            // Elsewhere, so that the two do not overwrite each other.
            target.join("flux-bench-other-features")
        };
        self.build(&target, if profile == "debug" { "dev".as_ref() } else { profile })?;
        Ok(target.join(profile).join(self.name()))
    }

    fn build(self, target: &Path, profile: &OsStr) -> Result {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--quiet", "--bin", self.name()]);
        command.args(["--manifest-path", MANIFEST]);
        command.arg("--profile").arg(profile);
        command.arg("--target-dir").arg(target);
        if !self.telemetry {
            command.arg("--no-default-features");
        }
        let done = command.status()?.success();
        done.then_some(()).ok_or_else(|| format!("cargo could not build {}", self.name()).into())
    }

    fn name(self) -> &'static str {
        if self.counting { "flux-bench-allocations" } else { "flux-bench" }
    }
}

/// Calls to the allocator per message of a contender, in the second of two rounds: the first one
/// pays for what is allocated once per process.
pub(crate) fn allocations(telemetry: bool, contender: &str, messages: u64) -> Result<f64> {
    let build = Build { counting: true, telemetry };
    let last = last_round(&build.program()?, contender, messages)?;
    Ok(count(last.allocations) / count(last.messages))
}

/// The second of two rounds of a contender in a new process; the first one warms it up.
pub(crate) fn last_round(program: &Path, contender: &str, messages: u64) -> Result<Line> {
    let last = run(program, contender, messages)?.pop();
    last.ok_or_else(|| format!("{contender} ran no round").into())
}

/// The arguments that make the harness run a contender and report lines.
pub(crate) fn arguments(contender: &str, messages: u64, rounds: u64) -> [String; 6] {
    [
        "run".to_owned(),
        contender.to_owned(),
        "--messages".to_owned(),
        messages.to_string(),
        "--rounds".to_owned(),
        rounds.to_string(),
    ]
}

/// Runs two rounds of a contender in `program`.
fn run(program: &Path, contender: &str, messages: u64) -> Result<Vec<Line>> {
    let output = Command::new(program).args(arguments(contender, messages, 2)).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} failed: {said}", program.display()).into());
    }
    let lines = String::from_utf8(output.stdout)?;
    lines.lines().map(Line::parse).collect()
}

impl Line {
    /// The line as a child prints it.
    pub(crate) fn print(&self) -> String {
        format!("{} {} {}", self.messages, self.nanos, self.allocations)
    }

    fn parse(line: &str) -> Result<Self> {
        let numbers: Vec<u64> = line.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>()?;
        let &[messages, nanos, allocations] = numbers.as_slice() else {
            return Err(format!("not a report of a round: {line}").into());
        };
        Ok(Self { messages, nanos, allocations })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_survives_the_pipe() -> Result {
        let line = Line { messages: 1, nanos: 2, allocations: 3 };
        assert_eq!(Line::parse(&line.print())?, line);
        assert!(Line::parse("1 2").is_err());
        Ok(())
    }
}
