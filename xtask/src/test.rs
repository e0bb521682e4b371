//! Every test of the workspace, the documentation's programs among them, counted.

use crate::cargo::Cargo;
use crate::failure::Failure;
use crate::step::{Checked, Outcome};

/// Runs them with every feature on; `args` go to `cargo test`.
pub(crate) fn run(args: &[String]) -> Outcome {
    let command = Cargo::new(["test", "--workspace", "--all-features", "--no-fail-fast"]);
    count(command.args(args))
}

/// Runs one `cargo test` command line, prints what it prints, and counts what passed.
pub(crate) fn count(command: Cargo) -> Outcome {
    let (tally, result) = tally(command, |line| println!("{line}"));
    println!("total: {} passed, {} failed", tally.passed, tally.failed);
    if tally.failed > 0 {
        return Err(format!("{} tests failed; see them above", tally.failed).into());
    }
    result?;
    Ok(Checked { count: tally.passed, what: "tests" })
}

/// Runs it, gives each line to `show`, and returns the count together with how it ended.
pub(crate) fn tally(command: Cargo, show: impl Fn(&str)) -> (Tally, Result<(), Failure>) {
    let mut tally = Tally::default();
    let result = command.each_line(|line| {
        show(line);
        tally.add(line);
    });
    (tally, result)
}

/// How many tests passed and how many did not.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
}

impl Tally {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; …`.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        for part in result.split(['.', ';']) {
            match part.trim().split_once(' ') {
                Some((count, "passed")) => self.passed += count.parse().unwrap_or(0),
                Some((count, "failed")) => self.failed += count.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_add_up_and_other_lines_do_not() {
        let mut tally = Tally::default();
        tally.add("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
        tally.add("test result: FAILED. 2 passed; 1 failed; 0 ignored; finished in 0.00s");
        tally.add("7 passed; 7 failed");
        assert_eq!((tally.passed, tally.failed), (5, 1));
    }
}
