//! The standard `OTEL_*` variables. What OpenTelemetry's crates read themselves is checked, because they pass over what they do not know.

#[cfg(feature = "_otlp")]
mod otlp;
mod sampler;

use flux_core::{Error, ErrorKind, Result};

/// Where variables are looked up: the environment, or a test's own.
pub(crate) struct Variables<'v>(Box<LookUp<'v>>);

type LookUp<'v> = dyn Fn(&str) -> Option<String> + 'v;

impl Variables<'static> {
    pub(crate) fn of_process() -> Self {
        // What is not Unicode is read as what nobody supports.
        Self::from(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
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
    pub(crate) fn is_disabled(&self) -> Result<bool> {
        self.flag("OTEL_SDK_DISABLED")
    }

    fn flag(&self, name: &str) -> Result<bool> {
        match self.find(name) {
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
            Some(value) if !value.eq_ignore_ascii_case("false") => Err(unknown(name, &value, "`true`, `false`")),
            _ => Ok(false),
        }
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

    /// Checks what OpenTelemetry reads for every program.
    pub(crate) fn check(&self) -> Result<()> {
        const NAME: &str = "OTEL_RESOURCE_ATTRIBUTES";
        let attributes = self.find(NAME).unwrap_or_default();
        let is_pair = |pair: &str| pair.split_once('=').is_some_and(|(key, _)| !key.trim().is_empty());
        match attributes.split_terminator(',').find(|pair| !is_pair(pair)) {
            Some(other) => Err(unknown(NAME, other, "`key=value` pairs, separated by commas")),
            None => Ok(()),
        }
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

    /// Whether baggage travels with the trace context, which flux writes into its messages in any case.
    pub(crate) fn propagates_baggage(&self) -> Result<bool> {
        const NAME: &str = "OTEL_PROPAGATORS";
        let Some(list) = self.find(NAME) else { return Ok(true) };
        let names: Vec<_> = list.split(',').map(str::trim).collect();
        let are_known = names.iter().all(|name| ["baggage", "tracecontext"].contains(name));
        if are_known && names.contains(&"tracecontext") {
            return Ok(names.contains(&"baggage"));
        }
        Err(unknown(NAME, &list, "`tracecontext`, which flux's messages carry in any case, alone or with `baggage`"))
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    pub(super) fn variables(pairs: &[(&str, &str)]) -> Variables<'static> {
        let pairs: HashMap<String, String> = pairs.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        Variables::from(move |name| pairs.get(name).cloned())
    }

    /// Checks that each value of a variable is refused, and that the error tells of both.
    pub(super) fn refuses<T>(name: &str, values: &[&str], read: impl Fn(&Variables<'static>) -> Result<T>) {
        for value in values {
            let error = read(&variables(&[(name, value)])).err().unwrap_or_else(|| panic!("{name}={value}"));
            let text = error.to_string();
            assert!(error.kind() == ErrorKind::InvalidInput && text.contains(name) && text.contains(value), "{error}");
        }
    }

    #[test]
    fn without_variables_the_program_decides() {
        let none = variables(&[("OTEL_SERVICE_NAME", " "), ("OTEL_SDK_DISABLED", "")]);
        assert!(!none.is_disabled().expect("none") && !none.names_service());
        assert_eq!(none.exporters("METRICS").expect("none"), Exporters { otlp: true, prometheus: false });
        assert!(none.propagates_baggage().expect("none"));
        none.check().expect("none");
    }

    #[test]
    fn the_service_is_named_in_either_place() {
        assert!(variables(&[("OTEL_SERVICE_NAME", "shop")]).names_service());
        let attributes = variables(&[("OTEL_RESOURCE_ATTRIBUTES", "a=b, service.name=shop,")]);
        assert!(attributes.names_service() && attributes.has_attribute("a") && !attributes.has_attribute("b"));
        attributes.check().expect("pairs");
        refuses("OTEL_RESOURCE_ATTRIBUTES", &["shop", "=b"], Variables::check);
        assert!(variables(&[("OTEL_RESOURCE_ATTRIBUTES", "a=b,c")]).check().is_err());
    }

    #[test]
    fn exporters_can_be_turned_off_and_unknown_ones_are_refused() {
        let some = variables(&[("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "otlp, prometheus")]);
        assert_eq!(some.exporters("TRACES").expect("known"), Exporters { otlp: false, prometheus: false });
        assert_eq!(some.exporters("METRICS").expect("known"), Exporters { otlp: true, prometheus: true });
        refuses("OTEL_TRACES_EXPORTER", &["zipkin", "prometheus"], |variables| variables.exporters("TRACES"));
    }

    #[test]
    fn all_of_it_is_turned_off_by_true_alone() {
        for (value, expected) in [("true", true), ("TRUE", true), ("false", false)] {
            assert_eq!(variables(&[("OTEL_SDK_DISABLED", value)]).is_disabled().expect(value), expected);
        }
        refuses("OTEL_SDK_DISABLED", &["1", "yes"], Variables::is_disabled);
    }

    #[test]
    fn the_trace_context_travels_in_any_case() {
        for (list, baggage) in
            [("tracecontext", false), ("tracecontext,baggage", true), ("baggage, tracecontext", true)]
        {
            let asked = variables(&[("OTEL_PROPAGATORS", list)]);
            assert_eq!(asked.propagates_baggage().expect(list), baggage);
        }
        let bad = ["b3", "none", "baggage", "tracecontext,none", "tracecontext,b3", ","];
        refuses("OTEL_PROPAGATORS", &bad, Variables::propagates_baggage);
    }
}
