//! What the import did, as text or as JSON.

use std::fmt::Write as _;

use serde::Serialize;
use tokio::task::JoinError;

/// Inserts in one line of the chart.
const WIDTH: usize = 60;

/// What the import did.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) lines: u64,
    pub(crate) undecodable: u64,
    /// Flights that the store took for the first time.
    pub(crate) stored: u64,
    /// Flights that the store had already.
    pub(crate) duplicates: u64,
    /// Flights that never got in.
    pub(crate) lost: u64,
    /// Flights in the store at the end.
    pub(crate) rows: u64,
    /// The inserts in order, `.` for one that went well and `x` for one that failed.
    pub(crate) inserts: String,
    /// Inserts, and how many of them failed.
    pub(crate) calls: u64,
    pub(crate) failed_calls: u64,
    /// How often the circuit opened.
    pub(crate) circuit_opened: u64,
    /// Attempts that failed, those refused without asking the store among them.
    pub(crate) retries: u64,
    pub(crate) refused: u64,
    pub(crate) elapsed_s: f64,
}

impl Report {
    /// Counts how one flight ended.
    pub(crate) fn add<E>(&mut self, done: &Result<Result<bool, E>, JoinError>) {
        match done {
            Ok(Ok(true)) => self.stored += 1,
            Ok(Ok(false)) => self.duplicates += 1,
            Ok(Err(_)) | Err(_) => self.lost += 1,
        }
    }

    /// Says what does not add up, if anything.
    ///
    /// # Errors
    /// The invariant that does not hold.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Self { lines, undecodable, stored, duplicates, lost, rows, .. } = self;
        if *lines != undecodable + stored + duplicates + lost {
            return Err(format!("{lines} lines were read, and that many are not accounted for: {self:?}"));
        }
        if stored != rows {
            return Err(format!("{stored} flights were stored, and {rows} are there"));
        }
        if *lost > 0 { Err(format!("{lost} flights are lost")) } else { Ok(()) }
    }

    /// The report for people.
    pub(crate) fn text(&self) -> String {
        let Self { lines, undecodable, stored, duplicates, lost, calls, failed_calls, .. } = self;
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{lines} lines: {stored} stored, {duplicates} were there, {undecodable} undecodable, {lost} lost"
        );
        let _ = writeln!(text, "{calls} inserts, {failed_calls} of them failed (x):");
        let mut left = self.inserts.as_str();
        while !left.is_empty() {
            let (line, rest) = left.split_at_checked(WIDTH).unwrap_or((left, ""));
            let _ = writeln!(text, "  {line}");
            left = rest;
        }
        let _ = writeln!(text, "the circuit opened {} times", self.circuit_opened);
        let _ = writeln!(
            text,
            "{} attempts failed, {} of them without asking the store, {:.3} s",
            self.retries, self.refused, self.elapsed_s
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chart_has_a_mark_for_each_insert() {
        let inserts = format!("{}xxx", ".".repeat(WIDTH));
        let text = Report { inserts, calls: 63, failed_calls: 3, ..Report::default() }.text();
        assert!(
            text.contains(&format!("63 inserts, 3 of them failed (x):\n  {}\n  xxx\n", ".".repeat(WIDTH))),
            "{text}"
        );
    }

    #[test]
    fn what_does_not_add_up_is_said() {
        let fine = || Report { lines: 2, stored: 1, duplicates: 1, rows: 1, ..Report::default() };
        assert_eq!(fine().check(), Ok(()));
        assert!(Report { lines: 3, ..fine() }.check().is_err());
        assert!(Report { rows: 2, ..fine() }.check().is_err());
        assert!(Report { lines: 3, lost: 1, ..fine() }.check().is_err());
    }
}
