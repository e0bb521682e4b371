//! Where messages go that nobody could handle, and what is written on them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flux_core::{
    ArcPublisher, Forwarded, HeaderName, HeaderValue, Headers, Message, Metadata, Result, Subject, header,
};

/// What comes before the subject of a message that was given up.
const PREFIX: &str = "dlq.";

/// The longest text of an error that a dead letter carries, in bytes.
const MAX_REASON: usize = 1024;

/// The most bytes of names of headers that were left out.
const MAX_NAMES: usize = 512;

/// Bytes of a transport's own beside each header, as many as NATS has.
const FRAME: usize = 4;

/// Bytes of headers to be kept free for what a transport adds: its line of status, the trace, and an id for deduplication, which
/// holds both subjects, handler and id. The message's id is counted beside.
const SPARE: usize = 4096;

/// Headers that flux itself writes, which tell a message from others, or how to read it.
const KNOWN: [HeaderName; 7] = [
    header::BAGGAGE,
    header::CAUSATION_ID,
    header::CONTENT_TYPE,
    header::CORRELATION_ID,
    header::MESSAGE_ID,
    header::TRACEPARENT,
    header::TRACESTATE,
];

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
    ) -> Message<Forwarded<T>> {
        let GivenUp { subject, mut headers, payload } = given_up;
        annotate(&mut headers, marks(&subject, reason, metadata));
        let subject = self.subject.clone().unwrap_or_else(|| dead(&subject));
        Message { subject, headers, payload }
    }
}

/// The subject of a dead letter: of a long one, as much as fits behind the prefix.
fn dead(subject: &Subject) -> Subject {
    let text = subject.as_str();
    let end = text.floor_char_boundary(Subject::MAX_LEN - PREFIX.len());
    let kept = text.get(..end).unwrap_or_default().trim_end_matches('.');
    Subject::try_from(format!("{PREFIX}{kept}")).expect("a subject that ends early, though not in a dot, is a subject")
}

/// Whether a message is a dead letter already; such a one is not given up a second time.
pub(crate) fn is_dead_letter(headers: &Headers) -> bool {
    headers.contains(&header::ORIGINAL_SUBJECT)
}

/// What is written on a dead letter.
fn marks(subject: &Subject, reason: &Reason<'_>, metadata: &Metadata) -> Vec<(HeaderName, HeaderValue)> {
    let mut marks = vec![
        (header::ORIGINAL_SUBJECT, HeaderValue::lossy(subject.as_str(), Subject::MAX_LEN)),
        (header::ERROR_CLASS, HeaderValue::from_static(reason.class)),
        (header::RETRY_COUNT, reason.attempts.into()),
        (header::FAILED_AT, HeaderValue::lossy(&rfc3339(SystemTime::now()), 32)),
        (header::HANDLER, HeaderValue::lossy(reason.route, Subject::MAX_LEN)),
    ];
    marks.extend(metadata.stream.as_ref().map(|name| (header::STREAM, HeaderValue::lossy(name, Subject::MAX_LEN))));
    marks.extend(metadata.sequence.map(|sequence| (header::SEQUENCE, sequence.into())));
    marks.push((header::ERROR, HeaderValue::lossy(reason.text, MAX_REASON)));
    marks
}

/// Writes the marks. A letter without them would be taken for its original, by a stream that deduplicates as by a route, so the
/// message's own headers make room, whole ones: the largest first, and flux's own last.
fn annotate(headers: &mut Headers, marks: Vec<(HeaderName, HeaderValue)>) {
    for (name, _) in &marks {
        headers.remove(name);
    }
    let size = |name: &str, value: &str| name.len() + value.len() + FRAME;
    let needed: usize = marks.iter().map(|(name, value)| size(name.as_str(), value.as_str())).sum();
    let mut dropped = Vec::new();
    loop {
        let own: usize = headers.iter().map(|(name, value)| size(name, value)).sum();
        let id = headers.get(&header::MESSAGE_ID).map_or(0, str::len);
        if own + id + needed + SPARE <= Headers::MAX_BYTES {
            break;
        }
        let is_known = |name: &str| KNOWN.iter().any(|known| known.as_str().eq_ignore_ascii_case(name));
        let largest = headers.iter().max_by_key(|(name, value)| (!is_known(name), size(name, value)));
        let Some((name, _)) = largest else { break };
        let name = name.to_owned();
        headers.remove(&name);
        dropped.push(name);
    }
    let dropped = dropped.join(", ");
    let dropped = (!dropped.is_empty()).then(|| (header::DROPPED_HEADERS, HeaderValue::lossy(&dropped, MAX_NAMES)));
    for (name, value) in marks.into_iter().chain(dropped) {
        // There is room: all marks together take a tenth of it.
        let _ = headers.append(name, value);
    }
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
