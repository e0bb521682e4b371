//! Runs cargo, the one that started us, and tells what it ran.

use std::env;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::process::{Command, ExitStatus, Stdio};

use crate::failure::Failure;

/// A cargo command line about to run.
#[derive(Debug)]
pub(crate) struct Cargo {
    command: Command,
}

impl Cargo {
    /// `cargo` with these arguments, in the root of the workspace.
    pub(crate) fn new<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Self {
        let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(program);
        command.args(args).current_dir(super::workspace::root());
        Self { command }
    }

    /// Adds arguments.
    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable of the environment.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Throws its standard error away.
    pub(crate) fn hush_errors(mut self) -> Self {
        self.command.stderr(Stdio::null());
        self
    }

    /// Runs it with our own standard streams.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        let line = self.announce();
        let status = self.command.status().map_err(|error| cannot_start(&error))?;
        expect_success(&line, status)
    }

    /// Runs it and gives each line of its standard output to `line`, as it comes.
    pub(crate) fn each_line(mut self, mut each: impl FnMut(&str)) -> Result<(), Failure> {
        let line = self.announce();
        self.command.stdout(Stdio::piped());
        let mut child = self.command.spawn().map_err(|error| cannot_start(&error))?;
        if let Some(stdout) = child.stdout.take() {
            for text in BufReader::new(stdout).lines() {
                each(&text.map_err(|error| format!("cannot read from cargo: {error}"))?);
            }
        }
        let status = child.wait().map_err(|error| cannot_start(&error))?;
        expect_success(&line, status)
    }

    /// Runs it in silence and returns its standard output.
    pub(crate) fn output(mut self) -> Result<String, Failure> {
        let line = self.line();
        let output = self.command.output().map_err(|error| cannot_start(&error))?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            return Err(format!("`{line}` failed: {}", stderr.trim()).into());
        }
        String::from_utf8(output.stdout).map_err(|_| format!("`{line}` wrote no UTF-8").into())
    }

    fn announce(&self) -> String {
        let line = self.line();
        println!("$ {line}");
        line
    }

    fn line(&self) -> String {
        let args = self.command.get_args().map(OsStr::to_string_lossy);
        let words: Vec<_> = std::iter::once("cargo".into()).chain(args).collect();
        words.join(" ")
    }
}

fn expect_success(line: &str, status: ExitStatus) -> Result<(), Failure> {
    if status.success() { Ok(()) } else { Err(format!("`{line}` failed ({status}): see its output above").into()) }
}

fn cannot_start(error: &io::Error) -> Failure {
    format!("cannot run cargo: {error}; start xtask as `cargo xtask`").into()
}
