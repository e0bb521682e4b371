//! Spans whose secret attributes are hidden before they leave the process.

use std::time::Duration;

use opentelemetry::{KeyValue, StringValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use crate::{HIDDEN, Redact};

/// Hides, then exports.
#[derive(Debug)]
pub(crate) struct RedactedSpans<E> {
    exporter: E,
    redact: Redact,
}

impl<E> RedactedSpans<E> {
    pub(crate) fn new(exporter: E, redact: Redact) -> Self {
        Self { exporter, redact }
    }

    fn hide(&self, attributes: &mut [KeyValue]) {
        for attribute in attributes.iter_mut().filter(|attribute| self.redact.hides(attribute.key.as_str())) {
            attribute.value = Value::String(StringValue::from(HIDDEN));
        }
    }
}

impl<E: SpanExporter> SpanExporter for RedactedSpans<E> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        for span in &mut batch {
            self.hide(&mut span.attributes);
            for event in &mut span.events.events {
                self.hide(&mut event.attributes);
            }
            for link in &mut span.links.links {
                self.hide(&mut link.attributes);
            }
        }
        self.exporter.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
