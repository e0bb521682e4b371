//! The standard `OTEL_*` variables, as far as OpenTelemetry's crates do not read them themselves.

#[cfg(feature = "otlp-http")]
use std::time::Duration;

use flux_core::{Error, ErrorKind, Result};

#[cfg(feature = "_otlp")]
use crate::Protocol;

/// Where variables are looked up: the environment, or a test's own.
pub(crate) struct Variables<'v>(Box<LookUp<'v>>);

type LookUp<'v> = dyn Fn(&str) -> Option<String> + 'v;

impl Variables<'static> {
    pub(crate) fn of_process() -> Self {
        Self::from(|name| std::env::var(name).ok())
    }
}

impl<'v> Variables<'v> {
    pub(crate) fn from(look_up: impl Fn(&str) -> Option<String> + 'v) -> Self {
        Self(Box::new(look_up))
    }

    /// An empty variable is the same as none, as the specification demands.
    fn find(&self, name: &str) -> Option<String> {
        (self.0)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Whether the operator wants no telemetry at all.
    pub(crate) fn is_disabled(&self) -> bool {
        self.find("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Whether the operator names the service; it can stand in two places.
    pub(crate) fn names_service(&self) -> bool {
        self.find("OTEL_SERVICE_NAME").is_some() || self.has_attribute("service.name")
    }

    /// Whether the operator set this attribute of the resource.
    pub(crate) fn has_attribute(&self, key: &str) -> bool {
        let attributes = self.find("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        attributes.split(',').filter_map(|pair| pair.split_once('=')).any(|(found, _)| found.trim() == key)
    }

    pub(crate) fn has_sampler(&self) -> bool {
        self.find("OTEL_TRACES_SAMPLER").is_some()
    }

    /// Which exporters the operator asks for.
    pub(crate) fn exporters(&self, signal: &str) -> Result<Exporters> {
        let name = format!("OTEL_{signal}_EXPORTER");
        let Some(list) = self.find(&name) else { return Ok(Exporters { otlp: true, prometheus: false }) };
        let mut exporters = Exporters { otlp: false, prometheus: false };
        for exporter in list.split(',').map(str::trim) {
            match exporter {
                "none" => {}
                "otlp" => exporters.otlp = true,
                "prometheus" if signal == "METRICS" => exporters.prometheus = true,
                other => return Err(unknown(&name, other, "`otlp`, `none`, and for metrics `prometheus`")),
            }
        }
        Ok(exporters)
    }

    /// Which headers carry the context, besides those that flux writes itself.
    pub(crate) fn propagates_baggage(&self) -> Result<bool> {
        const NAME: &str = "OTEL_PROPAGATORS";
        let Some(list) = self.find(NAME) else { return Ok(true) };
        let mut baggage = false;
        for propagator in list.split(',').map(str::trim) {
            match propagator {
                "baggage" => baggage = true,
                "none" | "tracecontext" => {}
                other => return Err(unknown(NAME, other, "`tracecontext`, `baggage`, `none`")),
            }
        }
        Ok(baggage)
    }
}

#[cfg(feature = "_otlp")]
impl Variables<'_> {
    fn any(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.find(name))
    }

    pub(crate) fn has_interval(&self) -> bool {
        self.find("OTEL_METRIC_EXPORT_INTERVAL").is_some()
    }

    /// Whether the operator says where to; `signal` is `TRACES` or `METRICS`.
    pub(crate) fn has_endpoint(&self, signal: &str) -> bool {
        self.any(&[&format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"), "OTEL_EXPORTER_OTLP_ENDPOINT"]).is_some()
    }

    /// How long an exchange with the collector may take. Default 10 s.
    #[cfg(feature = "otlp-http")]
    pub(crate) fn timeout(&self, signal: &str) -> Result<Duration> {
        let names = [format!("OTEL_EXPORTER_OTLP_{signal}_TIMEOUT"), "OTEL_EXPORTER_OTLP_TIMEOUT".to_owned()];
        let Some((name, text)) = names.iter().find_map(|name| Some((name, self.find(name)?))) else {
            return Ok(Duration::from_secs(10));
        };
        text.parse().map(Duration::from_millis).map_err(|_| unknown(name, &text, "whole milliseconds"))
    }

    /// Which protocol the operator asks for.
    pub(crate) fn protocol(&self, signal: &str) -> Result<Option<Protocol>> {
        let names = [format!("OTEL_EXPORTER_OTLP_{signal}_PROTOCOL"), "OTEL_EXPORTER_OTLP_PROTOCOL".to_owned()];
        for name in names {
            return match self.find(&name).as_deref() {
                None => continue,
                Some("grpc") => Ok(Some(Protocol::Grpc)),
                Some("http/protobuf") => Ok(Some(Protocol::HttpProtobuf)),
                Some(other) => Err(unknown(&name, other, "`grpc`, `http/protobuf`")),
            };
        }
        Ok(None)
    }
}

/// What the operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exporters {
    pub(crate) otlp: bool,
    /// Named explicitly; what the program mounts itself needs no name.
    pub(crate) prometheus: bool,
}

fn unknown(name: &str, value: &str, known: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("{name}={value} is not supported; there are {known}"))
}

#[cfg(all(test, feature = "_otlp"))]
mod tests {
    use super::*;

    fn variables<'v>(pairs: &'v [(&str, &str)]) -> Variables<'v> {
        Variables::from(|name| pairs.iter().find(|(found, _)| *found == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn without_variables_the_program_decides() {
        let none = variables(&[("OTEL_SERVICE_NAME", " "), ("OTEL_SDK_DISABLED", "")]);
        assert!(!none.is_disabled() && !none.names_service() && !none.has_endpoint("TRACES") && !none.has_sampler());
        assert_eq!(none.protocol("TRACES").expect("none"), None);
        assert_eq!(none.exporters("METRICS").expect("none"), Exporters { otlp: true, prometheus: false });
        assert!(none.propagates_baggage().expect("none"));
    }

    #[test]
    fn the_variable_of_a_signal_wins_over_that_of_all() {
        let both = variables(&[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4317"),
        ]);
        assert_eq!(both.protocol("TRACES").expect("known"), Some(Protocol::Grpc));
        assert_eq!(both.protocol("METRICS").expect("known"), Some(Protocol::HttpProtobuf));
        assert!(both.has_endpoint("TRACES") && !both.has_endpoint("METRICS"));
    }

    #[test]
    fn the_service_is_named_in_either_place() {
        assert!(variables(&[("OTEL_SERVICE_NAME", "shop")]).names_service());
        let attributes = variables(&[("OTEL_RESOURCE_ATTRIBUTES", "a=b, service.name=shop")]);
        assert!(attributes.names_service() && attributes.has_attribute("a") && !attributes.has_attribute("b"));
    }

    #[test]
    fn exporters_can_be_turned_off_and_unknown_ones_are_refused() {
        let some = variables(&[("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "otlp, prometheus")]);
        assert_eq!(some.exporters("TRACES").expect("known"), Exporters { otlp: false, prometheus: false });
        assert_eq!(some.exporters("METRICS").expect("known"), Exporters { otlp: true, prometheus: true });
        let bad = variables(&[
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_PROPAGATORS", "b3"),
        ]);
        let errors = [
            bad.exporters("TRACES").map(|_| ()),
            bad.protocol("TRACES").map(|_| ()),
            bad.propagates_baggage().map(|_| ()),
        ];
        for (error, value) in errors.into_iter().zip(["zipkin", "http/json", "b3"]) {
            let error = error.expect_err("refused");
            assert!(error.kind() == ErrorKind::InvalidInput && error.to_string().contains(value), "{error}");
        }
    }
}
