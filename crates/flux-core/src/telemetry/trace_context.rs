//! The OpenTelemetry context that a scope carries from poll to poll.

use std::fmt;

use opentelemetry::trace::TraceContextExt as _;
use opentelemetry::{Context, ContextGuard};

use super::w3c;
use crate::Headers;

/// Makes a context the current one until it is dropped.
pub(crate) type Attached = ContextGuard;

/// The trace that a [`Scope`](crate::Scope) is part of, if there is one.
#[derive(Clone, Default)]
pub struct TraceContext(Option<Context>);

impl TraceContext {
    /// That of the span that sent a message with these headers.
    pub(crate) fn of_sender(headers: &Headers) -> Option<Self> {
        Some(Context::new().with_remote_span_context(w3c::extract(headers)?).into())
    }

    /// Makes it the current context until the guard is dropped.
    pub(crate) fn attach(&self) -> Option<Attached> {
        self.0.as_ref().map(|context| context.clone().attach())
    }
}

impl From<Context> for TraceContext {
    fn from(context: Context) -> Self {
        Self(Some(context))
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TraceContext").field(&self.0.is_some()).finish()
    }
}
