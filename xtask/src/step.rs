//! One step of a verb: it says how much it checked, and nothing checked is a failure.

use std::time::Instant;

use crate::failure::Failure;
use crate::workspace::Workspace;

/// How many things a step looked at.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) count: usize,
    pub(crate) what: &'static str,
}

/// What a step ends with.
pub(crate) type Outcome = Result<Checked, Failure>;

/// A named step of a verb.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Workspace) -> Outcome,
}

/// Runs every step, also after a failure, and fails at the end with all complaints.
pub(crate) fn all(steps: &[Step], workspace: &Workspace) -> Result<(), Failure> {
    let run = |step: &Step| one(step.name, step.run, workspace).err();
    let failures: Vec<_> = steps.iter().filter_map(run).collect();
    if failures.is_empty() {
        return Ok(());
    }
    let complaints = failures.iter().map(ToString::to_string).collect();
    Failure::unless_empty(complaints)
}

/// Runs one step and prints its count and time.
pub(crate) fn one(name: &str, run: impl FnOnce(&Workspace) -> Outcome, workspace: &Workspace) -> Result<(), Failure> {
    let started = Instant::now();
    let outcome = run(workspace).and_then(reject_zero);
    let seconds = started.elapsed().as_secs_f32();
    match outcome {
        Ok(Checked { count, what }) => {
            println!("{name}: {count} {what} checked in {seconds:.1} s");
            Ok(())
        }
        Err(failure) => {
            let complaints = failure.of_step(name);
            println!("{name}: {} complaints in {seconds:.1} s", complaints.len());
            Failure::unless_empty(complaints)
        }
    }
}

fn reject_zero(checked: Checked) -> Outcome {
    if checked.count > 0 {
        return Ok(checked);
    }
    Err(format!("found no {} to check: a step that looks at nothing proves nothing", checked.what).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_checked_is_a_failure() {
        let nothing = Checked { count: 0, what: "crates" };
        let failure = reject_zero(nothing).unwrap_err();
        assert!(failure.to_string().contains("found no crates"));
    }
}
