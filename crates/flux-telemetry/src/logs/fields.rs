//! The fields of events and spans, hidden as they are recorded.

use std::error::Error;
use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};

use crate::{HIDDEN, Redact};

/// The field that `tracing` keeps an event's message in.
const MESSAGE: &str = "message";

/// What a span or an event recorded, without secrets.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    pub(super) message: Option<String>,
    pub(super) fields: Map<String, Value>,
}

impl Recorded {
    /// What was recorded later wins.
    pub(super) fn add(&mut self, later: Self) {
        self.fields.extend(later.fields);
    }
}

/// Takes what is recorded.
pub(super) struct Fields<'r> {
    redact: &'r Redact,
    recorded: Recorded,
}

impl<'r> Fields<'r> {
    pub(super) fn new(redact: &'r Redact) -> Self {
        Self { redact, recorded: Recorded::default() }
    }

    pub(super) fn done(self) -> Recorded {
        self.recorded
    }

    /// A value is not even written down when its name says that it is secret.
    fn put(&mut self, field: &Field, value: impl FnOnce() -> Value) {
        let name = field.name();
        let value = if self.redact.hides(name) { Value::from(HIDDEN) } else { value() };
        self.recorded.fields.insert(name.to_owned(), value);
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, || Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, || Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, || Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, || Value::from(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == MESSAGE {
            self.recorded.message = Some(value.to_owned());
        } else {
            let redact = self.redact;
            self.put(field, || Value::from(redact.text(value)));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let redact = self.redact;
        self.put(field, || Value::from(redact.text(&value.to_string())));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let redact = self.redact;
        let text = || redact.text(&format!("{value:?}")).into_owned();
        if field.name() == MESSAGE {
            self.recorded.message = Some(text());
        } else {
            self.put(field, || Value::from(text()));
        }
    }
}
