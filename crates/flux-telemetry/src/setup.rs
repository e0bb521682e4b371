//! The one call that sets everything up.

use std::time::Duration;

use flux_core::telemetry::{Propagation, set_propagation};
use flux_core::{Error, ErrorKind, Result};
use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry::{KeyValue, Value, global};
use opentelemetry_sdk::Resource;
#[cfg(feature = "_otlp")]
use opentelemetry_sdk::metrics::PeriodicReader;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
#[cfg(feature = "_otlp")]
use opentelemetry_sdk::trace::BatchSpanProcessor;
use opentelemetry_sdk::trace::Sampler;

use crate::Guard;
#[cfg(feature = "prometheus")]
use crate::Prometheus;
use crate::providers::Assembly;
use crate::variables::Variables;
#[cfg(feature = "_otlp")]
use crate::{Protocol, Redact, background::Background, otlp::Collector, redacted_spans::RedactedSpans};

/// Sends the traces and metrics of the service `name` to where the `OTEL_*` variables say, until the guard is dropped.
///
/// # Errors
/// Those of [`Setup::install`].
pub fn init(name: impl Into<String>) -> Result<Guard> {
    Setup::new(name).install()
}

/// Which traces are recorded. What comes with a trace follows its sender in each case, so that traces are whole.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Sampling {
    /// All.
    Always,
    /// None that start here.
    Never,
    /// This share of those that start here, from 0 to 1.
    Ratio(f64),
}

impl From<Sampling> for Sampler {
    fn from(sampling: Sampling) -> Self {
        Self::ParentBased(Box::new(match sampling {
            Sampling::Always => Self::AlwaysOn,
            Sampling::Never => Self::AlwaysOff,
            Sampling::Ratio(ratio) => Self::TraceIdRatioBased(ratio),
        }))
    }
}

/// What is sent to a collector.
#[cfg(feature = "_otlp")]
#[derive(Debug, Clone, Copy)]
struct Signals {
    traces: bool,
    metrics: bool,
}

/// What to set up. The standard `OTEL_*` variables win over what stands here: the operator knows the place.
///
/// ```no_run
/// use flux_telemetry::{Sampling, Setup};
///
/// # fn doc() -> flux_core::Result<()> {
/// let _telemetry = Setup::new("orders")
///     .with_attribute("deployment.environment.name", "staging")
///     .with_sampling(Sampling::Ratio(0.01))
///     .install()?;
/// // … run the service; the guard flushes when it is dropped
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "nothing is set up until `install`"]
pub struct Setup {
    service: String,
    attributes: Vec<KeyValue>,
    sampling: Option<Sampling>,
    propagation: Propagation,
    #[cfg(feature = "_otlp")]
    endpoint: Option<String>,
    #[cfg(feature = "_otlp")]
    protocol: Option<Protocol>,
    #[cfg(feature = "_otlp")]
    interval: Option<Duration>,
    flush: Duration,
    #[cfg(feature = "_otlp")]
    redact: Redact,
    #[cfg(feature = "_otlp")]
    sent: Signals,
    #[cfg(feature = "prometheus")]
    prometheus: Option<Prometheus>,
}

impl Setup {
    /// Traces and metrics of the service `name`, to a collector on this machine.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            service: name.into(),
            attributes: Vec::new(),
            sampling: None,
            propagation: Propagation::All,
            #[cfg(feature = "_otlp")]
            endpoint: None,
            #[cfg(feature = "_otlp")]
            protocol: None,
            #[cfg(feature = "_otlp")]
            interval: None,
            flush: Duration::from_secs(5),
            #[cfg(feature = "_otlp")]
            redact: Redact::default(),
            #[cfg(feature = "_otlp")]
            sent: Signals { traces: true, metrics: true },
            #[cfg(feature = "prometheus")]
            prometheus: None,
        }
    }

    /// Adds an attribute of the resource: something that is true of everything this process reports.
    pub fn with_attribute(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.push(KeyValue::new(key, value));
        self
    }

    /// Which traces are recorded. Default all. Variable: `OTEL_TRACES_SAMPLER`.
    pub fn with_sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = Some(sampling);
        self
    }

    /// Which trace contexts travel with messages. Default [`Propagation::All`]; with [`Propagation::Sampled`], messages whose trace
    /// is not recorded are spared a header, and those without a context are taken for such.
    pub fn with_propagation(mut self, propagation: Propagation) -> Self {
        self.propagation = propagation;
        self
    }

    #[cfg(feature = "_otlp")]
    /// Where the collector is, without the path of a signal. Default `http://localhost:4318`, with gRPC port 4317. Variable:
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn with_endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    #[cfg(feature = "_otlp")]
    /// How OTLP is carried. Default HTTP where it is built in. Variable: `OTEL_EXPORTER_OTLP_PROTOCOL`.
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = Some(protocol);
        self
    }

    #[cfg(feature = "_otlp")]
    /// How often metrics are sent. Default 60 s. Variable: `OTEL_METRIC_EXPORT_INTERVAL`.
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// How long the guard may take to flush when it is dropped. Default 5 s.
    pub fn with_flush_limit(mut self, limit: Duration) -> Self {
        self.flush = limit;
        self
    }

    /// Which attributes of spans are hidden. Default: those of [`Redact::default`].
    #[cfg(feature = "_otlp")]
    pub fn with_redaction(mut self, redact: Redact) -> Self {
        self.redact = redact;
        self
    }

    /// Sends no traces, and makes none: messages pass the traces on that they came with. Variable: `OTEL_TRACES_EXPORTER=none`.
    #[cfg(feature = "_otlp")]
    pub fn without_traces(mut self) -> Self {
        self.sent.traces = false;
        self
    }

    /// Sends no metrics, as where Prometheus reads them. Variable: `OTEL_METRICS_EXPORTER=none`.
    #[cfg(feature = "_otlp")]
    pub fn without_metrics(mut self) -> Self {
        self.sent.metrics = false;
        self
    }

    /// Also lets Prometheus read the metrics.
    #[cfg(feature = "prometheus")]
    pub fn with_prometheus(mut self, prometheus: &Prometheus) -> Self {
        self.prometheus = Some(prometheus.clone());
        self
    }

    /// Puts it behind OpenTelemetry's globals, where flux and all else that is instrumented looks. Once in a program, before
    /// its first message.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a variable or an address that makes no sense, [`ErrorKind::Unsupported`] for a protocol
    /// that was not built in. A collector that does not answer is no error, neither here nor later.
    pub fn install(self) -> Result<Guard> {
        self.install_as(&Variables::of_process())
    }

    fn install_as(self, variables: &Variables<'_>) -> Result<Guard> {
        if variables.is_disabled()? {
            return Ok(Guard::idle());
        }
        let (propagator, propagation) = (propagator(variables)?, self.propagation);
        let guard = self.build(variables)?;
        global::set_text_map_propagator(propagator);
        set_propagation(propagation);
        guard.install();
        Ok(guard)
    }

    fn build(self, variables: &Variables<'_>) -> Result<Guard> {
        variables.check()?;
        let mut providers = Assembly::new(self.resource(variables), self.sampler(variables)?);
        #[cfg(feature = "prometheus")]
        if let Some(prometheus) = &self.prometheus {
            providers.read_by(prometheus.reader()?);
        }
        let (traces, metrics) = (variables.exporters("TRACES")?, variables.exporters("METRICS")?);
        if (traces.prometheus || metrics.prometheus) && !providers.has_reader() {
            let message =
                "OTEL_METRICS_EXPORTER asks for Prometheus, and this program does not offer its metrics to it";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let guard = Guard::new(self.flush);
        #[cfg(feature = "_otlp")]
        let asked = Signals { traces: traces.otlp, metrics: metrics.otlp };
        #[cfg(feature = "_otlp")]
        let guard = guard.with_background(self.collect(asked, variables, &mut providers)?);
        Ok(guard.with_providers(providers.build()))
    }

    /// Sends traces and metrics to a collector, each if it is wanted.
    #[cfg(feature = "_otlp")]
    fn collect(
        &self,
        asked: Signals,
        variables: &Variables<'_>,
        providers: &mut Assembly,
    ) -> Result<Option<Background>> {
        let (traces, metrics) = (asked.traces && self.sent.traces, asked.metrics && self.sent.metrics);
        if !traces && !metrics {
            return Ok(None);
        }
        let background = Background::start()?;
        let (endpoint, protocol) = (self.endpoint.as_deref(), self.protocol);
        let collector = Collector { background: &background, endpoint, protocol, variables };
        if traces {
            let exporter = RedactedSpans::new(collector.spans()?, self.redact.clone());
            providers.process_spans(BatchSpanProcessor::builder(exporter).build());
        }
        if metrics {
            let mut reader = PeriodicReader::builder(collector.metrics()?);
            if let Some(interval) = self.interval(variables)? {
                reader = reader.with_interval(interval);
            }
            providers.read_by(reader.build());
        }
        Ok(Some(background))
    }

    #[cfg(feature = "_otlp")]
    fn interval(&self, variables: &Variables<'_>) -> Result<Option<Duration>> {
        Ok(variables.interval()?.or(self.interval))
    }

    fn sampler(&self, variables: &Variables<'_>) -> Result<Option<Sampler>> {
        Ok(variables.sampler()?.or_else(|| self.sampling.map(Sampler::from)))
    }

    fn resource(&self, variables: &Variables<'_>) -> Resource {
        let own = self.attributes.iter().filter(|pair| !variables.has_attribute(pair.key.as_str())).cloned();
        let builder = Resource::builder().with_attributes(own);
        if variables.names_service() {
            builder.build()
        } else {
            builder.with_service_name(self.service.clone()).build()
        }
    }
}

/// The trace context for HTTP clients and the like; flux writes it into its messages by itself.
fn propagator(variables: &Variables<'_>) -> Result<TextMapCompositePropagator> {
    let mut parts: Vec<Box<dyn TextMapPropagator + Send + Sync>> = vec![Box::new(TraceContextPropagator::new())];
    if variables.propagates_baggage()? {
        parts.push(Box::new(BaggagePropagator::new()));
    }
    Ok(TextMapCompositePropagator::new(parts))
}

#[cfg(all(test, feature = "otlp-http"))]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_is_not_understood_is_an_error_of_the_set_up() {
        for (name, value) in [
            ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "no pair"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "collector:4318"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_METRICS_EXPORTER", "statsd"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "1m"),
            ("OTEL_PROPAGATORS", "none"),
            ("OTEL_RESOURCE_ATTRIBUTES", "staging"),
            ("OTEL_SDK_DISABLED", "yes"),
            ("OTEL_TRACES_SAMPLER", "xray"),
        ] {
            let variables = Variables::from(move |asked| (asked == name).then(|| value.to_owned()));
            let error = Setup::new("shop").install_as(&variables).expect_err(name);
            assert!(error.kind() == ErrorKind::InvalidInput && error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn the_operator_has_the_last_word() {
        let setup = Setup::new("shop").with_attribute("a", "program").with_attribute("b", "program");
        let setup = setup.with_interval(Duration::from_secs(1)).with_sampling(Sampling::Always);
        let read = |variables: &Variables<'_>| {
            let (interval, sampler) = (setup.interval(variables), setup.sampler(variables));
            let resource = setup.resource(variables);
            let has = |key: &'static str| resource.get(&key.into()).is_some();
            let sampler = format!("{:?}", sampler.expect("known").expect("one"));
            (interval.expect("a number"), sampler, has("a"), has("b"))
        };
        let silent = Variables::from(|_| None);
        assert_eq!(read(&silent), (Some(Duration::from_secs(1)), "ParentBased(AlwaysOn)".to_owned(), true, true));
        let said = Variables::from(|name| {
            let value = match name {
                "OTEL_METRIC_EXPORT_INTERVAL" => "2000",
                "OTEL_RESOURCE_ATTRIBUTES" => "a=operator",
                "OTEL_TRACES_SAMPLER" => "always_off",
                _ => return None,
            };
            Some(value.to_owned())
        });
        // OpenTelemetry reads the operator's attribute, so here the program's alone is missing.
        assert_eq!(read(&said), (Some(Duration::from_secs(2)), "AlwaysOff".to_owned(), false, true));
    }

    #[test]
    fn nothing_is_set_up_where_the_operator_wants_none() {
        // What is not set up is not looked at.
        let setup = Setup::new("shop").with_endpoint("https://collector");
        let off = Variables::from(|name| (name == "OTEL_SDK_DISABLED").then(|| "true".to_owned()));
        setup.install_as(&off).expect("nothing").shutdown().expect("nothing");
    }
}
