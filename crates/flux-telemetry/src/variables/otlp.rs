//! Where telemetry is sent, how and how often, as the operator says it.

use std::time::Duration;

use flux_core::{Error, ErrorKind, Result};

use super::{Variables, unknown};
use crate::Protocol;

/// Whole numbers that OpenTelemetry reads itself, and the least that each may be.
const NUMBERS: [(&str, u64); 8] = [
    ("OTEL_BSP_EXPORT_TIMEOUT", 1),
    ("OTEL_BSP_MAX_CONCURRENT_EXPORTS", 1),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 1),
    ("OTEL_BSP_MAX_QUEUE_SIZE", 1),
    ("OTEL_BSP_SCHEDULE_DELAY", 1),
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", 0),
    ("OTEL_SPAN_EVENT_COUNT_LIMIT", 0),
    ("OTEL_SPAN_LINK_COUNT_LIMIT", 0),
];

impl Variables<'_> {
    /// The variable of a signal, else that of all: its name and its value. `signal` is `TRACES` or `METRICS`.
    fn exporter(&self, signal: &str, what: &str) -> Option<(String, String)> {
        let names = [format!("OTEL_EXPORTER_OTLP_{signal}_{what}"), format!("OTEL_EXPORTER_OTLP_{what}")];
        names.into_iter().find_map(|name| self.find(&name).map(|value| (name, value)))
    }

    /// How often metrics are sent.
    pub(crate) fn interval(&self) -> Result<Option<Duration>> {
        const NAME: &str = "OTEL_METRIC_EXPORT_INTERVAL";
        self.find(NAME).map(|text| milliseconds(NAME, &text)).transpose()
    }

    /// Where the operator wants it sent: the variable and the address.
    pub(crate) fn endpoint(&self, signal: &str) -> Option<(String, String)> {
        self.exporter(signal, "ENDPOINT")
    }

    /// How long an exchange with the collector may take. Default 10 s.
    pub(crate) fn timeout(&self, signal: &str) -> Result<Duration> {
        let found = self.exporter(signal, "TIMEOUT");
        found.map_or(Ok(Duration::from_secs(10)), |(name, text)| milliseconds(&name, &text))
    }

    /// Which protocol the operator asks for.
    pub(crate) fn protocol(&self, signal: &str) -> Result<Option<Protocol>> {
        let Some((name, text)) = self.exporter(signal, "PROTOCOL") else { return Ok(None) };
        match text.as_str() {
            "grpc" => Ok(Some(Protocol::Grpc)),
            "http/protobuf" => Ok(Some(Protocol::HttpProtobuf)),
            other => Err(unknown(&name, other, "`grpc`, `http/protobuf`")),
        }
    }

    /// Checks what OpenTelemetry's exporters and processors read.
    pub(crate) fn check_export(&self, signal: &str) -> Result<()> {
        for (name, least) in NUMBERS {
            // As it is read: with white space around it, it would be passed over.
            let text = (self.0)(name).filter(|text| !text.trim().is_empty());
            match text {
                Some(text) if text.parse::<u64>().ok().is_none_or(|number| number < least) => {
                    return Err(unknown(name, &text, &format!("whole numbers from {least}")));
                }
                _ => {}
            }
        }
        match self.exporter(signal, "COMPRESSION") {
            Some((name, text)) if text != "none" => return Err(unknown(&name, &text, "`none`")),
            _ => {}
        }
        match self.exporter(signal, "TEMPORALITY_PREFERENCE") {
            Some((name, text)) if !["cumulative", "delta", "lowmemory"].contains(&&*text.to_ascii_lowercase()) => {
                return Err(unknown(&name, &text, "`cumulative`, `delta`, `lowmemory`"));
            }
            _ => {}
        }
        for what in ["CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"] {
            if let Some((name, _)) = self.exporter(signal, what) {
                return Err(refused(&name, "is not supported; collectors are spoken to without TLS"));
            }
        }
        match self.exporter(signal, "HEADERS") {
            // Not shown: it may be a secret.
            Some((name, text)) if !text.split_terminator(',').all(is_header) => {
                Err(refused(&name, "is not understood; there are `name=value` pairs, separated by commas"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether it is a pair whose name a header may have (RFC 9110, 5.6.2).
fn is_header(pair: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    pair.split_once('=').is_some_and(|(name, value)| {
        let (name, value) = (name.trim(), value.trim());
        !name.is_empty() && name.bytes().all(is_token) && !value.is_empty() && value.bytes().all(|byte| byte >= b' ')
    })
}

fn milliseconds(name: &str, text: &str) -> Result<Duration> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.map(Duration::from_millis).ok_or_else(|| unknown(name, text, "whole milliseconds from 1"))
}

fn refused(name: &str, why: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("{name} {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variables::tests::{refuses, variables};

    #[test]
    fn without_variables_the_program_decides() {
        let none = variables(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " "), ("OTEL_BSP_MAX_QUEUE_SIZE", "")]);
        assert_eq!(none.protocol("TRACES").expect("none"), None);
        assert_eq!((none.endpoint("TRACES"), none.interval().expect("none")), (None, None));
        assert_eq!(none.timeout("METRICS").expect("none"), Duration::from_secs(10));
        none.check_export("TRACES").expect("none");
    }

    #[test]
    fn the_variable_of_a_signal_wins_over_that_of_all() {
        let both = variables(&[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4317"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
            ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "2"),
        ]);
        assert_eq!(both.protocol("TRACES").expect("known"), Some(Protocol::Grpc));
        assert_eq!(both.protocol("METRICS").expect("known"), Some(Protocol::HttpProtobuf));
        assert!(both.endpoint("TRACES").is_some() && both.endpoint("METRICS").is_none());
        let timeouts = ["TRACES", "METRICS"].map(|signal| both.timeout(signal).expect("a number").as_millis());
        assert_eq!(timeouts, [1, 2]);
    }

    #[test]
    fn what_would_be_passed_over_is_refused() {
        const TIMES: [&str; 4] = ["10s", "-1", "0", "1.5"];
        refuses("OTEL_METRIC_EXPORT_INTERVAL", &TIMES, Variables::interval);
        refuses("OTEL_EXPORTER_OTLP_TIMEOUT", &TIMES, |variables| variables.timeout("TRACES"));
        refuses("OTEL_EXPORTER_OTLP_PROTOCOL", &["http/json", "GRPC"], |variables| variables.protocol("TRACES"));
        let check = |variables: &Variables<'static>| variables.check_export("METRICS");
        for (name, least) in NUMBERS {
            refuses(name, &["many", "-1", " 5", "1e3"], check);
            variables(&[(name, &least.to_string())]).check_export("METRICS").expect("a number");
        }
        refuses("OTEL_BSP_MAX_QUEUE_SIZE", &["0"], check);
        refuses("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", &["gzip", "zstd", "best"], check);
        refuses("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", &["both"], check);
        variables(&[("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta")])
            .check_export("METRICS")
            .expect("one");
    }

    #[test]
    fn headers_are_understood_or_refused_without_being_shown() {
        const NAME: &str = "OTEL_EXPORTER_OTLP_HEADERS";
        for good in ["api-key=abc", "a=b, c = d=e ,", "authorization=Bearer%20x"] {
            variables(&[(NAME, good)]).check_export("TRACES").expect(good);
        }
        for bad in ["secret", "a=b,secret", "a b=secret", "=secret", "secret="] {
            let error = variables(&[(NAME, bad)]).check_export("TRACES").expect_err(bad).to_string();
            assert!(error.contains(NAME) && !error.contains("secret"), "{error}");
        }
        let error = variables(&[("OTEL_EXPORTER_OTLP_CERTIFICATE", "ca.pem")]).check_export("TRACES");
        assert!(error.expect_err("no TLS").to_string().contains("without TLS"));
    }
}
