//! The telemetry hooks of a build without the `telemetry` feature: the same names, and nothing behind them.

use std::fmt;

use crate::{Error, Headers, Message, Scope, Subject, SubjectFilter};

/// The telemetry of one transport or route. Does nothing: the feature `telemetry` is off.
#[derive(Debug, Clone)]
pub struct Telemetry;

/// How the span that handles a message stands to the span that sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The sender waits for the answer: the span is the sender's child.
    Child,
    /// The sender has gone on: the span is linked to the sender's, and goes on with its trace.
    Link,
}

impl Telemetry {
    /// For a transport that calls itself `system`.
    #[must_use]
    pub fn new(_system: &'static str) -> Self {
        Self
    }

    /// For a route with this filter.
    #[must_use]
    pub fn for_route(_template: SubjectFilter) -> Self {
        Self
    }

    /// Begins to send a message: adds what the current [`Scope`] passes on.
    pub fn send(&self, _subject: &Subject, headers: &mut Headers) -> Sending<'_> {
        Scope::stamp(headers);
        Sending(self)
    }

    /// Begins to handle a message. The returned scope is the one to run the handler in.
    pub fn process(&self, _subject: &Subject, headers: &Headers, relation: Relation) -> (Scope, Processing<'_>) {
        let scope = Scope::of(headers);
        let scope = if relation == Relation::Child { scope.until_deadline(headers) } else { scope };
        (scope, Processing(self))
    }

    /// Begins to fetch messages.
    pub fn receive(&self) -> Receiving<'_> {
        Receiving(self)
    }
}

/// A message that is being sent.
#[derive(Debug)]
#[must_use = "call `finish` with the result"]
pub struct Sending<'t>(#[expect(dead_code, reason = "keeps the lifetime of the build with telemetry")] &'t Telemetry);

impl Sending<'_> {
    /// Does nothing.
    pub fn finish<R>(self, _result: Result<R, &Error>) {}
}

/// A message that is being handled.
#[derive(Debug)]
#[must_use = "call `finish` with the result"]
pub struct Processing<'t>(
    #[expect(dead_code, reason = "keeps the lifetime of the build with telemetry")] &'t Telemetry,
);

impl Processing<'_> {
    /// Does nothing.
    pub fn finish(self, _failure: Option<(&'static str, &dyn fmt::Display)>) {}
}

/// Messages that are being fetched.
#[derive(Debug)]
#[must_use = "call `finish` with the result"]
pub struct Receiving<'t>(#[expect(dead_code, reason = "keeps the lifetime of the build with telemetry")] &'t Telemetry);

impl Receiving<'_> {
    /// Does nothing.
    pub fn finish<'m, T: 'm, M>(self, _result: Result<M, &Error>)
    where
        M: Iterator<Item = &'m Message<T>>,
    {
    }
}

/// There is no context to make the current one.
pub(crate) type Attached = ();

/// The trace that a [`Scope`] is part of: none.
#[derive(Debug, Clone, Default)]
pub struct TraceContext;

impl TraceContext {
    #[expect(clippy::unused_self, reason = "the build with telemetry looks")]
    pub(crate) fn attach(&self) -> Option<Attached> {
        None
    }
}
