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
    /// Says which line, if any, is not accounted for.
    ///
    /// # Errors
    /// The invariant that does not hold.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Self { lines, decoded, dead_letters, .. } = self;
        if *lines == decoded + dead_letters {
            return Ok(());
        }
        Err(format!(
            "{lines} lines were read, but {decoded} decoded and {dead_letters} dead letters do not add up to that"
        ))
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
