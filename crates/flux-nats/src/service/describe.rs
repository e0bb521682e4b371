//! What a service answers to the tools: JSON as ADR-32 has it.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::Inner;
use super::endpoint::Stats;

/// What a service can be asked.
pub(super) const VERBS: [&str; 3] = ["PING", "INFO", "STATS"];

/// The answer to one question.
pub(super) fn answer(service: &Inner, verb: &str) -> String {
    let kind = format!("io.nats.micro.v1.{}_response", verb.to_ascii_lowercase());
    let mut answer = Map::new();
    answer.insert("type".into(), kind.into());
    answer.insert("name".into(), service.config.name().into());
    answer.insert("id".into(), service.id.as_str().into());
    answer.insert("version".into(), service.config.version().into());
    answer.insert("metadata".into(), metadata(&service.config.metadata));
    match verb {
        "INFO" => {
            answer.insert("description".into(), service.config.description.as_str().into());
            answer.insert("endpoints".into(), endpoints(service, info));
        }
        "STATS" => {
            answer.insert("started".into(), rfc3339(service.started).into());
            answer.insert("endpoints".into(), endpoints(service, stats));
        }
        _ => {}
    }
    Value::Object(answer).to_string()
}

fn endpoints(service: &Inner, describe: fn(&Stats) -> Value) -> Value {
    service.endpoints().iter().filter(|endpoint| endpoint.is_live()).map(|endpoint| describe(endpoint)).collect()
}

fn info(endpoint: &Stats) -> Value {
    json!({
        "name": endpoint.name,
        "subject": endpoint.subject.as_str(),
        "queue_group": endpoint.group,
        "metadata": metadata(&endpoint.metadata),
    })
}

fn stats(endpoint: &Stats) -> Value {
    let counts = endpoint.counts();
    json!({
        "name": endpoint.name,
        "subject": endpoint.subject.as_str(),
        "queue_group": endpoint.group,
        "num_requests": counts.requests,
        "num_errors": counts.errors,
        "last_error": counts.last_error,
        "processing_time": counts.busy_ns,
        "average_processing_time": counts.busy_ns.checked_div(counts.requests).unwrap_or_default(),
        "data": null,
    })
}

fn metadata(entries: &BTreeMap<String, String>) -> Value {
    entries.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect()
}

/// The time in UTC as RFC 3339 has it, to the microsecond.
fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:06}Z", since.subsec_micros())
}

/// The date of a day since 1970 (Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_written_in_utc() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_399, "2000-02-28T23:59:59.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (1_767_225_599, "2025-12-31T23:59:59.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
        assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_micros(7)), "1970-01-01T00:00:00.000007Z");
    }
}
