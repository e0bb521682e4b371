//! OpenTelemetry's providers, as they are put together and as they are done.

use opentelemetry::global;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{MeterProviderBuilder, SdkMeterProvider};
#[cfg(feature = "_otlp")]
use opentelemetry_sdk::trace::SpanProcessor;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, TracerProviderBuilder};

/// Makes only what somebody receives from: a provider without receiver would cost and bring nothing.
pub(crate) struct Assembly {
    resource: Resource,
    #[cfg_attr(not(feature = "_otlp"), expect(dead_code, reason = "nothing sends traces"))]
    sampler: Option<Sampler>,
    tracers: Option<TracerProviderBuilder>,
    meters: Option<MeterProviderBuilder>,
}

impl Assembly {
    /// Without `sampler`, all traces that start here are recorded.
    pub(crate) fn new(resource: Resource, sampler: Option<Sampler>) -> Self {
        Self { resource, sampler, tracers: None, meters: None }
    }

    #[cfg(feature = "_otlp")]
    pub(crate) fn process_spans(&mut self, processor: impl SpanProcessor + 'static) {
        let mut builder = SdkTracerProvider::builder().with_resource(self.resource.clone());
        if let Some(sampler) = self.sampler.take() {
            builder = builder.with_sampler(sampler);
        }
        self.tracers = Some(builder.with_span_processor(processor));
    }

    pub(crate) fn read_by(&mut self, reader: impl MetricReader) {
        let new = || SdkMeterProvider::builder().with_resource(self.resource.clone());
        self.meters = Some(self.meters.take().unwrap_or_else(new).with_reader(reader));
    }

    pub(crate) fn has_reader(&self) -> bool {
        self.meters.is_some()
    }

    pub(crate) fn build(self) -> Providers {
        Providers {
            tracers: self.tracers.map(TracerProviderBuilder::build),
            meters: self.meters.map(MeterProviderBuilder::build),
        }
    }
}

/// Those that are needed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Providers {
    tracers: Option<SdkTracerProvider>,
    meters: Option<SdkMeterProvider>,
}

impl Providers {
    pub(crate) fn is_empty(&self) -> bool {
        self.tracers.is_none() && self.meters.is_none()
    }

    pub(crate) fn install(&self) {
        if let Some(tracers) = &self.tracers {
            global::set_tracer_provider(tracers.clone());
        }
        if let Some(meters) = &self.meters {
            global::set_meter_provider(meters.clone());
        }
    }

    /// Both are asked, whatever the first one says.
    pub(crate) fn flush(&self) -> OTelSdkResult {
        let traces = self.tracers.as_ref().map_or(Ok(()), SdkTracerProvider::force_flush);
        let metrics = self.meters.as_ref().map_or(Ok(()), SdkMeterProvider::force_flush);
        traces.and(metrics)
    }

    /// As [`flush`](Self::flush), and ends them.
    pub(crate) fn shutdown(&self) -> OTelSdkResult {
        let traces = self.tracers.as_ref().map_or(Ok(()), SdkTracerProvider::shutdown);
        let metrics = self.meters.as_ref().map_or(Ok(()), SdkMeterProvider::shutdown);
        traces.and(metrics)
    }
}
