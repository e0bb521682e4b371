//! The ids that travel by themselves: what a handler publishes carries on the work of the message it handles.

use std::cell::RefCell;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::telemetry::{Attached, TraceContext};
use crate::{HeaderName, HeaderValue, Headers, header};

/// Passed on unless the publisher set them, or an SDK that makes spans of its own does.
const CARRIED: [HeaderName; 4] = [header::CORRELATION_ID, header::TRACEPARENT, header::TRACESTATE, header::BAGGAGE];

thread_local! {
    static CURRENT: RefCell<Scope> = const { RefCell::new(Scope::EMPTY) };
}

/// The piece of work that the current task is part of.
///
/// Whoever runs a handler runs it in the scope of its message. Everything published inside then carries the message's
/// `X-Correlation-ID` (or its id, when it has none), its id as `X-Causation-ID`, and its trace context. What the handler of a
/// request asks others carries the request's `X-Deadline` as well. The scope is carried by the future, not by the thread; a task
/// that is spawned inside starts outside of it, unless it takes it along:
///
/// ```
/// use flux_core::{Message, Scope, subject};
///
/// # async fn doc() -> flux_core::Result<()> {
/// let incoming = Message::to(subject!("orders.created"), ()).with_id("order-1")?;
/// Scope::of(&incoming.headers).run(async {
///     let scope = Scope::current();
///     let _elsewhere = async move { scope.run(async { /* publishes as part of the same work */ }).await };
/// }).await;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Scope(Option<Box<Carried>>);

/// What is passed on. Most messages bring nothing, so their scope is a pointer to nothing.
#[derive(Debug, Clone, Default)]
struct Carried {
    headers: Headers,
    trace: TraceContext,
    /// Until when somebody waits for what is done here.
    deadline: Option<HeaderValue>,
}

impl Scope {
    /// No work in particular.
    const EMPTY: Self = Self(None);

    /// The scope in which a message with these headers is handled. Allocates only when there is something to pass on.
    #[inline]
    #[must_use]
    pub fn of(headers: &Headers) -> Self {
        if headers.has_none_but_content_type() { Self::EMPTY } else { Self::carrying(headers, &CARRIED) }
    }

    /// As [`of`](Self::of), without the sender's span: a span of its own takes the place of it.
    #[cfg(feature = "telemetry")]
    pub(crate) fn in_span(headers: &Headers, span: TraceContext) -> Self {
        Self::carrying(headers, &[header::CORRELATION_ID, header::BAGGAGE]).with_trace(span)
    }

    /// As [`of`](Self::of), and in the trace of the message's sender: for what is done about a message outside of its handler.
    #[must_use]
    pub fn continuing(headers: &Headers) -> Self {
        let scope = Self::of(headers);
        #[cfg(feature = "telemetry")]
        if let Some(trace) = TraceContext::of_sender(headers) {
            return scope.with_trace(trace);
        }
        scope
    }

    fn carrying(headers: &Headers, names: &[HeaderName]) -> Self {
        let mut carried = Headers::new();
        let id = headers.value(&header::MESSAGE_ID);
        for name in names {
            if let Some(value) = headers.value(name) {
                carried.put(name.clone(), value.clone());
            }
        }
        if let Some(id) = id {
            if !carried.contains(&header::CORRELATION_ID) {
                carried.put(header::CORRELATION_ID, id.clone());
            }
            carried.put(header::CAUSATION_ID, id.clone());
        }
        if carried.is_empty() {
            return Self::EMPTY;
        }
        Self(Some(Box::new(Carried { headers: carried, ..Carried::default() })))
    }

    /// As this one, with the deadline of the request that is handled in it.
    pub(crate) fn until_deadline(mut self, headers: &Headers) -> Self {
        if let Some(deadline) = headers.value(&header::DEADLINE) {
            self.0.get_or_insert_default().deadline = Some(deadline.clone());
        }
        self
    }

    #[cfg(feature = "telemetry")]
    pub(crate) fn with_trace(mut self, trace: TraceContext) -> Self {
        self.0.get_or_insert_default().trace = trace;
        self
    }

    /// The scope of the task that calls.
    #[must_use]
    pub fn current() -> Self {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Runs `future` in this scope.
    pub fn run<F: Future>(self, future: F) -> Scoped<F> {
        Scoped { future, scope: self }
    }

    /// Adds what the current scope passes on to the headers of a message that is about to be sent.
    ///
    /// [`Typed`](crate::Typed) calls it; only a transport that carries values itself has to.
    #[inline]
    pub fn stamp(headers: &mut Headers) {
        CURRENT.with_borrow(|scope| {
            if let Some(carried) = &scope.0 {
                carried.stamp(headers);
            }
        });
    }

    /// Adds the current scope's deadline to the headers of a request that is about to be sent, unless it has one.
    ///
    /// As with [`stamp`](Self::stamp), only a transport that carries values itself has to.
    #[inline]
    pub fn stamp_deadline(headers: &mut Headers) {
        CURRENT.with_borrow(|scope| {
            if let Some(deadline) = scope.0.as_ref().and_then(|carried| carried.deadline.as_ref())
                && !headers.contains(&header::DEADLINE)
            {
                headers.put(header::DEADLINE, deadline.clone());
            }
        });
    }

    /// Calls `f` in this scope.
    #[inline]
    pub fn enter<R>(&mut self, f: impl FnOnce() -> R) -> R {
        // Most messages carry nothing on, and are handled where there is nothing to hide.
        let is_visible = self.0.is_some() || CURRENT.with_borrow(|current| current.0.is_some());
        let _entered = is_visible.then(|| Entered::new(self));
        f()
    }
}

impl Carried {
    fn stamp(&self, headers: &mut Headers) {
        for name in CARRIED.iter().chain([&header::CAUSATION_ID]) {
            match self.headers.value(name) {
                Some(value) if !headers.contains(name) => headers.put(name.clone(), value.clone()),
                _ => {}
            }
        }
    }
}

/// Leaves the scope when it is dropped, also by a panic.
struct Entered<'s> {
    scope: &'s mut Scope,
    /// Detached after the scope is left.
    _attached: Option<Attached>,
}

impl<'s> Entered<'s> {
    #[inline(never)]
    fn new(scope: &'s mut Scope) -> Self {
        let attached = scope.0.as_ref().and_then(|carried| carried.trace.attach());
        let mut entered = Self { scope, _attached: attached };
        entered.swap();
        entered
    }

    fn swap(&mut self) {
        CURRENT.with_borrow_mut(|current| mem::swap(current, self.scope));
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.swap();
    }
}

pin_project! {
    /// A future that runs in a [`Scope`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Scoped<F> {
        #[pin]
        future: F,
        scope: Scope,
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.scope.enter(|| this.future.poll(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Message, subject};
    use std::task::Waker;

    fn poll_once<F: Future>(future: F) -> F::Output {
        match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("must be ready at once"),
        }
    }

    fn stamped(mut headers: Headers) -> Headers {
        Scope::stamp(&mut headers);
        headers
    }

    #[test]
    fn ids_are_passed_on_inside_and_only_inside() {
        let incoming = Message::to(subject!("a"), ()).with_id("m-1").expect("valid");
        let inside = poll_once(Scope::of(&incoming.headers).run(async { stamped(Headers::new()) }));
        assert_eq!(inside.get(&header::CORRELATION_ID), Some("m-1"));
        assert_eq!(inside.get(&header::CAUSATION_ID), Some("m-1"));
        assert_eq!(inside.get(&header::MESSAGE_ID), None);
        assert!(stamped(Headers::new()).is_empty());
    }

    #[test]
    fn what_the_publisher_set_stays() {
        let mut incoming = Headers::new();
        incoming.insert(header::CORRELATION_ID, "theirs").expect("valid");
        incoming.insert(header::TRACEPARENT, "00-x").expect("valid");
        let mut outgoing = Headers::new();
        outgoing.insert(header::CORRELATION_ID, "mine").expect("valid");
        let inside = poll_once(Scope::of(&incoming).run(async { stamped(outgoing) }));
        assert_eq!(inside.get(&header::CORRELATION_ID), Some("mine"));
        assert_eq!(inside.get(&header::TRACEPARENT), Some("00-x"));
        assert_eq!(inside.get(&header::CAUSATION_ID), None);
    }

    #[test]
    fn a_deadline_goes_with_requests_and_with_nothing_else() {
        let asked = |mut headers| {
            Scope::stamp_deadline(&mut headers);
            headers
        };
        let with = |deadline: u64| {
            let mut headers = Headers::new();
            headers.insert(header::DEADLINE, deadline).expect("valid");
            headers
        };
        let run = |work: fn() -> Headers| poll_once(Scope::of(&with(7)).until_deadline(&with(7)).run(async { work() }));
        assert_eq!(run(|| stamped(Headers::new())), Headers::new());
        let inside = |own: Option<u64>| {
            let scope = Scope::of(&with(7)).until_deadline(&with(7));
            poll_once(scope.run(async { asked(own.map(with).unwrap_or_default()) }))
        };
        assert_eq!((inside(None), inside(Some(3))), (with(7), with(3)));
        let of_a_message = poll_once(Scope::of(&with(7)).run(async { asked(Headers::new()) }));
        assert!(of_a_message.is_empty() && asked(Headers::new()).is_empty());
    }

    #[test]
    fn a_panic_leaves_the_scope() {
        let incoming = Message::to(subject!("a"), ()).with_id("m-1").expect("valid");
        let scoped = Scope::of(&incoming.headers).run(async { panic!("handler") });
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| poll_once(scoped)));
        assert!(caught.is_err());
        assert!(stamped(Headers::new()).is_empty());
    }
}
