//! The metrics of one transport or route, with attributes made once.

use std::time::Duration;

use opentelemetry::KeyValue;
#[cfg(feature = "_bound")]
use opentelemetry::metrics::{BoundCounter, BoundHistogram};
use opentelemetry::metrics::{Counter, Histogram, Meter};

use super::semconv;
use crate::SubjectFilter;

#[derive(Debug)]
pub(super) struct Instruments {
    send: Series,
    receive: Series,
    process: Series,
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
            send: Series::new(
                counter(semconv::SENT_MESSAGES, "Messages that were sent."),
                histogram(semconv::OPERATION_DURATION, "How long sending or fetching took."),
                attributes("send"),
            ),
            receive: Series::new(
                counter(semconv::CONSUMED_MESSAGES, "Messages that were delivered to a handler, or fetched."),
                histogram(semconv::OPERATION_DURATION, "How long sending or fetching took."),
                attributes("receive"),
            ),
            process: Series::new(
                counter(semconv::CONSUMED_MESSAGES, "Messages that were delivered to a handler, or fetched."),
                histogram(semconv::PROCESS_DURATION, "How long handling took."),
                attributes("process"),
            ),
        }
    }

    pub(super) fn sent(&self, took: Duration, error: Option<&'static str>) {
        self.send.record(1, took, error);
    }

    /// A fetch that failed brought nothing; how long it took is still of interest.
    pub(super) fn received(&self, count: usize, took: Duration, error: Option<&'static str>) {
        self.receive.record(u64::try_from(count).unwrap_or(u64::MAX), took, error);
    }

    pub(super) fn processed(&self, took: Duration, error: Option<&'static str>) {
        self.process.record(1, took, error);
    }
}

/// How many there were of one operation, and how long they took.
#[derive(Debug)]
struct Series {
    count: Counter<u64>,
    duration: Histogram<f64>,
    attributes: Vec<KeyValue>,
    /// Those without an error, which need not be looked up among all that there are.
    #[cfg(feature = "_bound")]
    bound: std::sync::OnceLock<(BoundCounter<u64>, BoundHistogram<f64>)>,
}

impl Series {
    fn new(count: Counter<u64>, duration: Histogram<f64>, attributes: Vec<KeyValue>) -> Self {
        Self {
            count,
            duration,
            attributes,
            #[cfg(feature = "_bound")]
            bound: std::sync::OnceLock::new(),
        }
    }

    #[cfg(feature = "_bound")]
    fn succeeded(&self, messages: u64, seconds: f64) {
        let bind = || (self.count.bind(&self.attributes), self.duration.bind(&self.attributes));
        let (count, duration) = self.bound.get_or_init(bind);
        count.add(messages);
        duration.record(seconds);
    }

    #[cfg(not(feature = "_bound"))]
    fn succeeded(&self, messages: u64, seconds: f64) {
        self.count.add(messages, &self.attributes);
        self.duration.record(seconds, &self.attributes);
    }

    fn record(&self, messages: u64, took: Duration, error: Option<&'static str>) {
        let seconds = took.as_secs_f64();
        let Some(error) = error else { return self.succeeded(messages, seconds) };
        let attributes = [self.attributes.as_slice(), &[KeyValue::new(semconv::ERROR_TYPE, error)]].concat();
        self.count.add(messages, &attributes);
        self.duration.record(seconds, &attributes);
    }
}
