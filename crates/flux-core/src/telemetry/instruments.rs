//! The metrics of one transport or route, with attributes made once.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};

use super::semconv;
use crate::SubjectFilter;

#[derive(Debug)]
pub(super) struct Instruments {
    sent: Counter<u64>,
    consumed: Counter<u64>,
    operation_duration: Histogram<f64>,
    process_duration: Histogram<f64>,
    send: Vec<KeyValue>,
    process: Vec<KeyValue>,
}

impl Instruments {
    pub(super) fn new(meter: &Meter, system: &'static str, template: Option<&SubjectFilter>) -> Self {
        let counter =
            |name, description| meter.u64_counter(name).with_unit("{message}").with_description(description).build();
        let histogram = |name, description| {
            let buckets = semconv::DURATION_BUCKETS.to_vec();
            meter.f64_histogram(name).with_unit("s").with_description(description).with_boundaries(buckets).build()
        };
        let attributes = |operation: &'static str| {
            let mut attributes =
                vec![KeyValue::new(semconv::SYSTEM, system), KeyValue::new(semconv::OPERATION_NAME, operation)];
            if let Some(template) = template {
                attributes.push(KeyValue::new(semconv::DESTINATION_TEMPLATE, template.to_string()));
            }
            attributes
        };
        Self {
            sent: counter(semconv::SENT_MESSAGES, "Messages that were sent."),
            consumed: counter(semconv::CONSUMED_MESSAGES, "Messages that were delivered to a handler."),
            operation_duration: histogram(semconv::OPERATION_DURATION, "How long sending took."),
            process_duration: histogram(semconv::PROCESS_DURATION, "How long handling took."),
            send: attributes("send"),
            process: attributes("process"),
        }
    }

    pub(super) fn sent(&self, took: Duration, error: Option<&'static str>) {
        with_error(&self.send, error, |attributes| {
            self.sent.add(1, attributes);
            self.operation_duration.record(took.as_secs_f64(), attributes);
        });
    }

    pub(super) fn processed(&self, took: Duration, error: Option<&'static str>) {
        with_error(&self.process, error, |attributes| {
            self.consumed.add(1, attributes);
            self.process_duration.record(took.as_secs_f64(), attributes);
        });
    }
}

fn with_error(attributes: &[KeyValue], error: Option<&'static str>, record: impl FnOnce(&[KeyValue])) {
    match error {
        None => record(attributes),
        Some(error) => {
            let mut attributes = attributes.to_vec();
            attributes.push(KeyValue::new(semconv::ERROR_TYPE, error));
            record(&attributes);
        }
    }
}
