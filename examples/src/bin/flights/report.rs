//! What the job found out, as a table or as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::flight::Alert;

/// The widest bar of the chart, in characters.
const BAR: u64 = 40;

/// What the job found out.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) lines: u64,
    pub(crate) decoded: u64,
    pub(crate) dead_letters: u64,
    pub(crate) duplicates: u64,
    pub(crate) cancelled: u64,
    pub(crate) alerts: u64,
    pub(crate) unknown_airlines: u64,
    pub(crate) retries: u64,
    pub(crate) by_carrier: BTreeMap<String, Carrier>,
    pub(crate) elapsed_s: f64,
    /// Departures that were handled to the end, each once.
    #[serde(skip)]
    pub(crate) handled: u64,
    /// Alerts that were published.
    #[serde(skip)]
    pub(crate) raised: u64,
}

/// The alerts of one carrier.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Carrier {
    pub(crate) name: String,
    pub(crate) alerts: u64,
    pub(crate) mean_delay_min: f64,
    pub(crate) max_delay_min: i32,
    #[serde(skip)]
    total_delay_min: i64,
}

impl Carrier {
    /// Counts one alert.
    pub(crate) fn add(&mut self, alert: Alert) {
        self.name = alert.airline;
        self.alerts += 1;
        self.total_delay_min += i64::from(alert.dep_delay);
        self.max_delay_min = self.max_delay_min.max(alert.dep_delay);
        #[expect(clippy::cast_precision_loss, reason = "sums of minutes are far below 2^52")]
        let mean = self.total_delay_min as f64 / self.alerts as f64;
        self.mean_delay_min = (mean * 10.0).round() / 10.0;
    }
}

impl Report {
    /// Says what, if anything, is not accounted for: a line, a departure or an alert.
    ///
    /// # Errors
    /// The invariant that does not hold.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Self { lines, decoded, dead_letters, duplicates, handled, raised, alerts, .. } = self;
        if *lines != decoded + dead_letters {
            return Err(format!(
                "{lines} lines were read, but {decoded} decoded and {dead_letters} dead letters do not add up to that"
            ));
        }
        // More is no loss: a stream on a server may still have flights of an earlier run.
        if *decoded > handled + duplicates {
            return Err(format!(
                "{decoded} flights were decoded, but {handled} handled and {duplicates} duplicates do not add up to that"
            ));
        }
        if raised > alerts {
            return Err(format!("{raised} alerts were published, but {alerts} were counted"));
        }
        Ok(())
    }

    /// One JSON object on a line.
    pub(crate) fn json(&self) -> String {
        let mut json = serde_json::to_string(self).expect("numbers and strings are always JSON");
        json.push('\n');
        json
    }

    /// The table with a bar for each airline.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        let Self { lines, decoded, dead_letters, duplicates, cancelled, alerts, unknown_airlines, retries, .. } = self;
        let _ =
            writeln!(text, "{lines} lines: {decoded} flights, {dead_letters} dead letters, {duplicates} duplicates");
        let _ = writeln!(
            text,
            "{cancelled} cancelled, {alerts} left an hour late or more, {unknown_airlines} of unknown airlines"
        );
        let _ = writeln!(text, "{retries} retries, {:.3} s\n", self.elapsed_s);
        let mut carriers: Vec<_> = self.by_carrier.values().collect();
        carriers.sort_by(|one, two| two.alerts.cmp(&one.alerts).then_with(|| one.name.cmp(&two.name)));
        let most = carriers.first().map_or(1, |carrier| carrier.alerts.max(1));
        let width = carriers.iter().map(|carrier| carrier.name.chars().count()).max().unwrap_or(0).max(7);
        let _ = writeln!(text, "{:width$}  late  mean min  max min", "airline");
        for Carrier { name, alerts, mean_delay_min, max_delay_min, .. } in carriers {
            let bar = "█".repeat(usize::try_from((alerts * BAR).div_ceil(most)).unwrap_or_default());
            let _ = writeln!(text, "{name:width$}  {alerts:4}  {mean_delay_min:8.1}  {max_delay_min:7}  {bar}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            lines: 10,
            decoded: 9,
            dead_letters: 1,
            duplicates: 2,
            cancelled: 1,
            alerts: 3,
            unknown_airlines: 0,
            retries: 0,
            by_carrier: BTreeMap::new(),
            elapsed_s: 0.1,
            handled: 7,
            raised: 3,
        }
    }

    #[test]
    fn what_is_lost_is_named() {
        assert_eq!(report().check(), Ok(()));
        for (lossy, named) in [
            (Report { lines: 11, ..report() }, "11 lines"),
            (Report { handled: 6, ..report() }, "9 flights were decoded, but 6 handled"),
            (Report { alerts: 2, ..report() }, "3 alerts were published, but 2"),
        ] {
            let error = lossy.check().unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
