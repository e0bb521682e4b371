//! W3C Trace Context in headers (Recommendation of 23 November 2021).

use std::str::FromStr;

use opentelemetry::propagation::Injector;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use opentelemetry::{Context, global};

use crate::{HeaderName, HeaderValue, Headers, header};

/// Writes what the global propagator writes, and the context's span if that does not.
pub(super) fn inject(context: &Context, headers: &mut Headers) {
    let mut writer = Writer { headers, traced: false };
    global::get_text_map_propagator(|propagator| propagator.inject_context(context, &mut writer));
    let span = context.span();
    let span = span.span_context();
    if writer.traced || !span.is_valid() {
        return;
    }
    let flags = span.trace_flags() & TraceFlags::SAMPLED;
    let traceparent = format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), flags.to_u8());
    writer.set("traceparent", traceparent);
    writer.set("tracestate", span.trace_state().header());
}

/// Reads the sender's span from the headers, if there is a valid one.
pub(super) fn extract(headers: &Headers) -> Option<SpanContext> {
    let mut parts = headers.get(&header::TRACEPARENT)?.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lower_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let shaped = version.len() == 2 && trace.len() == 32 && span.len() == 16 && flags.len() == 2;
    // Later versions may add parts at the end; version ff is forbidden (section 3.2.2).
    let known = version != "ff" && (version != "00" || parts.next().is_none());
    if !shaped || !known || ![version, trace, span, flags].into_iter().all(lower_hex) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let state = headers.get(&header::TRACESTATE).and_then(|state| TraceState::from_str(state).ok());
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        flags,
        true,
        state.unwrap_or_default(),
    );
    context.is_valid().then_some(context)
}

struct Writer<'h> {
    headers: &'h mut Headers,
    /// Whether a span was written.
    traced: bool,
}

impl Injector for Writer<'_> {
    fn set(&mut self, key: &str, value: String) {
        let name = match key {
            "traceparent" => {
                self.traced = true;
                header::TRACEPARENT
            }
            "tracestate" if value.is_empty() => {
                self.headers.remove(&header::TRACESTATE);
                return;
            }
            "tracestate" => header::TRACESTATE,
            other => match HeaderName::new(other) {
                Ok(name) => name,
                Err(_) => return,
            },
        };
        if let Ok(value) = HeaderValue::try_from(value) {
            self.headers.put(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(traceparent: &str) -> Option<SpanContext> {
        let mut headers = Headers::new();
        headers.insert(header::TRACEPARENT, traceparent).expect("valid");
        extract(&headers)
    }

    #[test]
    fn reads_what_the_recommendation_shows_and_nothing_else() {
        let span = read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").expect("valid");
        assert_eq!(span.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(span.is_sampled() && span.is_remote());
        assert!(read("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-new").is_some());
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ] {
            assert!(read(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = Context::new().with_remote_span_context(read(text).expect("valid"));
        let mut headers = Headers::new();
        inject(&context, &mut headers);
        assert_eq!(headers.get(&header::TRACEPARENT), Some(text));
    }
}
