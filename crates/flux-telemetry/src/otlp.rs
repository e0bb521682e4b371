//! The exporters of OTLP.

use flux_core::{Error, ErrorKind, Result};
#[cfg(feature = "otlp-http")]
use opentelemetry_otlp::WithHttpConfig as _;
use opentelemetry_otlp::{ExporterBuildError, MetricExporter, SpanExporter, WithExportConfig as _};

use crate::background::Background;
#[cfg(feature = "otlp-http")]
use crate::http_client::BackgroundClient;
use crate::variables::Variables;

/// How OTLP is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// gRPC, with the feature `otlp-grpc`; collectors listen on port 4317.
    Grpc,
    /// Protobuf in HTTP/1.1 requests, with the feature `otlp-http`; collectors listen on port 4318.
    HttpProtobuf,
}

impl Protocol {
    /// What is taken when nobody asks: HTTP, as the specification advises, if this build has it.
    const BUILT: Self = if cfg!(feature = "otlp-http") { Self::HttpProtobuf } else { Self::Grpc };
}

/// What the program says of the collector; what the operator says wins.
pub(crate) struct Collector<'c> {
    pub(crate) background: &'c Background,
    pub(crate) endpoint: Option<&'c str>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) variables: &'c Variables<'c>,
}

/// Makes the exporter of one signal.
macro_rules! exporter {
    ($collector:ident, $exporter:ident, $signal:literal, $path:literal) => {{
        let endpoint = $collector.endpoint($signal, $collector.protocol($signal)?)?;
        $collector.variables.check_export($signal)?;
        let timeout = $collector.variables.timeout($signal)?;
        // Connections belong to the runtime that they were made on.
        let _entered = $collector.background.handle().enter();
        match $collector.protocol($signal)? {
            #[cfg(feature = "otlp-grpc")]
            Protocol::Grpc => {
                let mut builder = $exporter::builder().with_tonic().with_timeout(timeout);
                if let Some(endpoint) = endpoint {
                    builder = builder.with_endpoint(endpoint);
                }
                builder.build().map_err(refused)
            }
            #[cfg(feature = "otlp-http")]
            Protocol::HttpProtobuf => {
                let handle = $collector.background.handle().clone();
                let client = BackgroundClient::new(handle, timeout);
                let protocol = opentelemetry_otlp::Protocol::HttpBinary;
                let mut builder = $exporter::builder().with_http().with_protocol(protocol).with_http_client(client);
                if let Some(endpoint) = endpoint {
                    builder = builder.with_endpoint(format!("{}{}", endpoint.trim_end_matches('/'), $path));
                }
                builder.build().map_err(refused)
            }
            #[cfg(not(all(feature = "otlp-grpc", feature = "otlp-http")))]
            other => Err(left_out(other)),
        }
    }};
}

impl Collector<'_> {
    pub(crate) fn spans(&self) -> Result<SpanExporter> {
        exporter!(self, SpanExporter, "TRACES", "/v1/traces")
    }

    pub(crate) fn metrics(&self) -> Result<MetricExporter> {
        exporter!(self, MetricExporter, "METRICS", "/v1/metrics")
    }

    /// The program's own endpoint, unless the operator names one.
    ///
    /// Over HTTP an address that nothing can be sent to would be found out only when the first spans are lost.
    fn endpoint(&self, signal: &str, protocol: Protocol) -> Result<Option<&str>> {
        let named = self.variables.endpoint(signal);
        let own = self.endpoint.filter(|_| named.is_none());
        let (origin, address) = match (&named, own) {
            (Some((name, address)), _) => (name.as_str(), address.as_str()),
            (None, Some(address)) => ("the collector's address", address),
            (None, None) => return Ok(None),
        };
        let begins_with =
            |scheme: &str| address.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        if begins_with("https:") {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!("{origin} begins with `https`, and no TLS is spoken"),
            ));
        }
        if protocol == Protocol::HttpProtobuf && !begins_with("http://") {
            return Err(Error::new(ErrorKind::InvalidInput, format!("{origin} does not begin with `http://`")));
        }
        Ok(own)
    }

    fn protocol(&self, signal: &str) -> Result<Protocol> {
        Ok(self.variables.protocol(signal)?.or(self.protocol).unwrap_or(Protocol::BUILT))
    }
}

fn refused(error: ExporterBuildError) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("no exporter of OTLP: {error}")).with_source(error)
}

#[cfg(not(all(feature = "otlp-grpc", feature = "otlp-http")))]
fn left_out(protocol: Protocol) -> Error {
    let feature = match protocol {
        Protocol::Grpc => "otlp-grpc",
        Protocol::HttpProtobuf => "otlp-http",
    };
    Error::new(ErrorKind::Unsupported, format!("this program was built without the feature `{feature}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_says_where_to_and_how() {
        let background = Background::start().expect("a thread");
        let read = |variables: &Variables<'_>| {
            let own = (Some("http://program:1"), Some(Protocol::Grpc));
            let collector = Collector { background: &background, endpoint: own.0, protocol: own.1, variables };
            let protocol = collector.protocol("TRACES").expect("known");
            (collector.endpoint("TRACES", protocol).expect("an address").map(str::to_owned), protocol)
        };
        let silent = Variables::from(|_| None);
        assert_eq!(read(&silent), (Some("http://program:1".to_owned()), Protocol::Grpc));
        let said = Variables::from(|name| {
            let value = match name {
                "OTEL_EXPORTER_OTLP_ENDPOINT" => "http://operator:1",
                "OTEL_EXPORTER_OTLP_PROTOCOL" => "http/protobuf",
                _ => return None,
            };
            Some(value.to_owned())
        });
        // What it says is read by OpenTelemetry, unless the program's stands in its way.
        assert_eq!(read(&said), (None, Protocol::HttpProtobuf));
    }
}
