//! Contenders taking turns, each turn in a process of its own.

use std::path::PathBuf;
use std::time::Duration;

use crate::Result;
use crate::child::{self, Build};
use crate::measurement::{Measurement, Round};

/// A contender in a program, and the name it is reported under.
pub(crate) struct Turn {
    contender: &'static str,
    label: &'static str,
    program: PathBuf,
    telemetry: bool,
}

impl Turn {
    /// A contender in this program.
    pub(crate) fn new(contender: &'static str) -> Result<Self> {
        Self::built(contender, contender, Build::RUNNING.telemetry)
    }

    /// A contender in a program with or without telemetry.
    pub(crate) fn built(label: &'static str, contender: &'static str, telemetry: bool) -> Result<Self> {
        let build = Build { counting: false, telemetry };
        Ok(Self { contender, label, program: build.program()?, telemetry })
    }
}

/// Runs every turn once per round, odd rounds in reverse order, so that neither a machine that
/// slows down nor a place in the order favours one.
///
/// A turn is a new process because what one contender leaves behind in a process decides how fast
/// the next one is: after an unbounded queue of a million messages, tokio's channel ran anywhere
/// between a third of its rate and all of it.
pub(crate) fn take(turns: &[Turn], rounds: u64, messages: u64) -> Result<Vec<Measurement>> {
    let mut measurements = Vec::new();
    for turn in turns {
        measurements.push(Measurement {
            name: turn.label,
            rounds: Vec::new(),
            allocations: child::allocations(turn.telemetry, turn.contender, messages)?,
        });
    }
    let mut order: Vec<_> = turns.iter().zip(&mut measurements).collect();
    for _ in 0..rounds {
        for (turn, measurement) in &mut order {
            let line = child::last_round(&turn.program, turn.contender, messages)?;
            measurement.rounds.push(Round { messages: line.messages, elapsed: Duration::from_nanos(line.nanos) });
        }
        order.reverse();
    }
    Ok(measurements)
}
