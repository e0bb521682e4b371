//! What a message asks of the server that stores it, as headers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flux_core::{Error, ErrorKind, Headers, Message, Result, Subject};

/// Conditions and wishes for one message. [`apply`](Self::apply) writes them on it, whatever its payload.
///
/// ```
/// use std::time::Duration;
///
/// use flux_core::{Message, subject};
/// use flux_jetstream::PublishOptions;
///
/// let only_if_first = PublishOptions::new().with_expected_last_subject_sequence(0).with_ttl(Duration::from_mins(5));
/// let message = only_if_first.apply(Message::to(subject!("orders.1"), 9.5))?;
/// # Ok::<(), flux_core::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct PublishOptions {
    stream: Option<String>,
    last_sequence: Option<u64>,
    last_subject_sequence: Option<u64>,
    last_id: Option<String>,
    ttl: Option<Duration>,
    rollup: Option<&'static str>,
    schedule: Option<(Schedule, Subject)>,
}

/// When a message is to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Schedule {
    /// Once, at this time, or at once when it is over.
    At(SystemTime),
    /// Again and again after this long; at least 1 s. Needs a server of release 2.14 or newer.
    Every(Duration),
    /// By a cron expression with seconds, for example `0 30 14 * * *`, in UTC. Needs a server of release 2.14 or newer.
    Cron(String),
}

impl PublishOptions {
    /// No conditions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Store it in the stream of this name or not at all.
    pub fn with_expected_stream(mut self, name: impl Into<String>) -> Self {
        self.stream = Some(name.into());
        self
    }

    /// Only if the newest message of the stream has this place; 0 for an empty one.
    pub const fn with_expected_last_sequence(mut self, sequence: u64) -> Self {
        self.last_sequence = Some(sequence);
        self
    }

    /// Only if the newest message of the same subject has this place; 0 when there must be none.
    pub const fn with_expected_last_subject_sequence(mut self, sequence: u64) -> Self {
        self.last_subject_sequence = Some(sequence);
        self
    }

    /// Only if the newest message of the stream has this id.
    pub fn with_expected_last_id(mut self, id: impl Into<String>) -> Self {
        self.last_id = Some(id.into());
        self
    }

    /// How long the stream holds it; at least 1 s. The stream must allow it:
    /// [`StreamConfig::with_message_ttl`](crate::StreamConfig::with_message_ttl).
    pub const fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Replace every message of this subject. The stream must allow it: [`StreamConfig::with_rollup`](crate::StreamConfig::with_rollup).
    pub const fn with_rollup_of_subject(mut self) -> Self {
        self.rollup = Some("sub");
        self
    }

    /// Replace every message of the stream. The stream must allow it.
    pub const fn with_rollup_of_all(mut self) -> Self {
        self.rollup = Some("all");
        self
    }

    /// Deliver it later, under the subject `target`, which the stream has to take as well. The message's own subject names the
    /// schedule: another message of the same subject replaces it. The stream must allow it:
    /// [`StreamConfig::with_schedules`](crate::StreamConfig::with_schedules).
    pub fn with_schedule(mut self, schedule: Schedule, target: Subject) -> Self {
        self.schedule = Some((schedule, target));
        self
    }

    /// Writes the conditions on a message.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a value that the server would not take, or not understand.
    pub fn apply<T>(&self, mut message: Message<T>) -> Result<Message<T>> {
        self.write(&mut message.headers)?;
        Ok(message)
    }

    fn write(&self, headers: &mut Headers) -> Result<()> {
        if let Some(name) = &self.stream {
            headers.insert("Nats-Expected-Stream", name.as_str())?;
        }
        if let Some(sequence) = self.last_sequence {
            headers.insert("Nats-Expected-Last-Sequence", sequence)?;
        }
        if let Some(sequence) = self.last_subject_sequence {
            headers.insert("Nats-Expected-Last-Subject-Sequence", sequence)?;
        }
        if let Some(id) = &self.last_id {
            headers.insert("Nats-Expected-Last-Msg-Id", id.as_str())?;
        }
        if let Some(rollup) = self.rollup {
            headers.insert("Nats-Rollup", rollup)?;
        }
        // On a scheduled message the time to live is that of what is delivered.
        let lives = if self.schedule.is_some() { "Nats-Schedule-TTL" } else { "Nats-TTL" };
        if let Some(ttl) = self.ttl {
            headers.insert(lives, whole_seconds("a time to live", ttl)?)?;
        }
        if let Some((schedule, target)) = &self.schedule {
            let when = match schedule {
                Schedule::At(time) => format!("@at {}", rfc3339(*time)),
                Schedule::Every(pause) => format!("@every {}", whole_seconds("a pause", *pause)?),
                Schedule::Cron(expression) => expression.clone(),
            };
            headers.insert("Nats-Schedule", when)?;
            headers.insert("Nats-Schedule-Target", target.as_str())?;
        }
        Ok(())
    }
}

fn whole_seconds(what: &str, duration: Duration) -> Result<String> {
    if duration < Duration::from_secs(1) {
        return Err(Error::new(ErrorKind::InvalidInput, format!("{what} of {duration:?} is under the least of 1 s")));
    }
    Ok(format!("{}s", duration.as_secs() + u64::from(duration.subsec_nanos() > 0)))
}

/// A time in UTC to the millisecond, as RFC 3339 writes it.
fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (mut days, second) = (since.as_secs() / 86_400 + 719_468, since.as_secs() % 86_400);
    // Days since 0000-03-01 as a date of the Gregorian calendar, in eras of 400 years that begin in March.
    let era = days / 146_097;
    days %= 146_097;
    let year_of_era = (days - days / 1_460 + days / 36_524 - days / 146_096) / 365;
    let day_of_year = days - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(options: &PublishOptions, name: &str) -> Option<String> {
        let mut headers = Headers::new();
        options.write(&mut headers).expect("valid");
        headers.get(name).map(str::to_owned)
    }

    #[test]
    fn times_are_written_as_rfc_3339_asks() {
        for (seconds, expected) in [(0, "1970-01-01T00:00:00.000Z"), (951_827_696, "2000-02-29T12:34:56.000Z")] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn a_time_to_live_is_rounded_up_and_not_below_a_second() {
        let options = PublishOptions::new().with_ttl(Duration::from_millis(1_500));
        assert_eq!(header(&options, "Nats-TTL").as_deref(), Some("2s"));
        let short = PublishOptions::new().with_ttl(Duration::from_millis(10));
        assert_eq!(short.write(&mut Headers::new()).expect_err("short").kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn a_scheduled_message_gives_its_time_to_live_to_what_is_delivered() {
        let target = flux_core::subject!("orders.due");
        let options = PublishOptions::new().with_ttl(Duration::from_secs(5));
        let options = options.with_schedule(Schedule::Every(Duration::from_mins(1)), target);
        assert_eq!(header(&options, "Nats-Schedule").as_deref(), Some("@every 60s"));
        assert_eq!(header(&options, "Nats-Schedule-TTL").as_deref(), Some("5s"));
        assert_eq!(header(&options, "Nats-TTL"), None);
    }
}
