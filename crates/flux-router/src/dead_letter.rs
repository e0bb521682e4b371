//! Where messages go that nobody could handle, and what is written on them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flux_core::{ArcPublisher, Error, Forwarded, HeaderValue, Headers, Message, Metadata, Result, Subject, header};

/// The longest text of an error that a dead letter carries, in bytes.
const MAX_REASON: usize = 1024;

/// Where a route's dead letters go.
pub(crate) struct DeadLetters<T> {
    pub(crate) publisher: ArcPublisher<T>,
    /// `None`: `dlq.` and the message's own subject.
    pub(crate) subject: Option<Subject>,
}

/// Why a message was given up.
pub(crate) struct Reason<'r> {
    pub(crate) class: &'static str,
    pub(crate) text: &'r str,
    pub(crate) attempts: u64,
    pub(crate) route: &'r str,
}

/// A message that was given up, as it came.
pub(crate) struct GivenUp<T> {
    pub(crate) subject: Subject,
    pub(crate) headers: Headers,
    pub(crate) payload: Forwarded<T>,
}

impl<T: Send + 'static> DeadLetters<T> {
    /// Stores a dead letter. When this returns `Ok`, the original may be acknowledged.
    pub(crate) async fn store(&self, letter: Message<Forwarded<T>>) -> Result<()> {
        self.publisher.forward_dyn(letter).await
    }

    /// Addresses a message to the dead letters and writes on it what happened.
    pub(crate) fn address(
        &self,
        given_up: GivenUp<T>,
        reason: &Reason<'_>,
        metadata: &Metadata,
    ) -> Result<Message<Forwarded<T>>> {
        let GivenUp { subject, mut headers, payload } = given_up;
        let to = match &self.subject {
            Some(fixed) => fixed.clone(),
            None => Subject::try_from(format!("dlq.{subject}"))?,
        };
        let written = annotate(&mut headers, &subject, reason, metadata);
        // Headers that are full already must not keep the message from being stored.
        if written.is_err() {
            headers.remove(&header::ERROR);
        }
        Ok(Message { subject: to, headers, payload })
    }
}

/// Whether a message is a dead letter already; such a one is not given up a second time.
pub(crate) fn is_dead_letter(headers: &Headers) -> bool {
    headers.contains(&header::ORIGINAL_SUBJECT)
}

fn annotate(headers: &mut Headers, subject: &Subject, reason: &Reason<'_>, metadata: &Metadata) -> Result<(), Error> {
    headers.insert(header::ORIGINAL_SUBJECT, HeaderValue::lossy(subject.as_str(), Subject::MAX_LEN))?;
    headers.insert(header::ERROR_CLASS, HeaderValue::from_static(reason.class))?;
    headers.insert(header::RETRY_COUNT, reason.attempts)?;
    headers.insert(header::FAILED_AT, HeaderValue::lossy(&rfc3339(SystemTime::now()), 32))?;
    headers.insert(header::HANDLER, HeaderValue::lossy(reason.route, Subject::MAX_LEN))?;
    if let Some(stream) = &metadata.stream {
        headers.insert(header::STREAM, HeaderValue::lossy(stream, Subject::MAX_LEN))?;
    }
    if let Some(sequence) = metadata.sequence {
        headers.insert(header::SEQUENCE, sequence)?;
    }
    headers.insert(header::ERROR, HeaderValue::lossy(reason.text, MAX_REASON))
}

/// A time in UTC to the millisecond, as RFC 3339 writes it.
fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

/// Days since 1970-01-01 as a date of the Gregorian calendar, counted in eras of 400 years that begin in March.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_asks() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_827_696, "2000-02-29T12:34:56.000Z"),
            (1_356_998_400, "2013-01-01T00:00:00.000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }
}
