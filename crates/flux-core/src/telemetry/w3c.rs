//! W3C Trace Context in headers (Recommendation of 23 November 2021).

use std::str::FromStr;

use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::propagation::Injector;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use opentelemetry::{Context, global};

use super::Propagation;
use crate::{HeaderName, HeaderValue, Headers, header};

/// What is written into the headers of a message that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Injection {
    propagation: Propagation,
    fields: Fields,
}

/// What the process's propagator writes beside the sender's span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fields {
    /// Nothing.
    Span,
    /// The baggage of the context.
    Baggage,
    /// Headers of conventions that flux does not know.
    Foreign,
}

impl Injection {
    /// What this process is set up for.
    pub(super) fn of_process() -> Self {
        Self { propagation: Propagation::of_process(), fields: Fields::of_process() }
    }

    /// Whether a message without a trace came from somebody whose trace is not recorded.
    pub(super) fn omits_unsampled(self) -> bool {
        self.propagation == Propagation::Sampled
    }

    /// Writes the span that sends a message in `context`, and what else travels.
    pub(super) fn inject(self, context: &Context, span: &SpanContext, headers: &mut Headers) {
        let travels = span.is_sampled() || !self.omits_unsampled();
        let is_asked = match self.fields {
            Fields::Span => false,
            Fields::Baggage => !context.baggage().is_empty(),
            Fields::Foreign => true,
        };
        if is_asked {
            let span = if travels { span.clone() } else { SpanContext::NONE };
            let context = context.with_remote_span_context(span);
            let mut writer = Writer(headers);
            global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut writer));
        }
        // Written without the propagator, which takes ten times as long for each message.
        if span.is_valid() && travels {
            headers.put(header::TRACEPARENT, traceparent(span));
            set_state(headers, span.trace_state());
        } else if !travels && !headers.has_none_but_content_type() {
            headers.remove(&header::TRACEPARENT);
            headers.remove(&header::TRACESTATE);
        }
    }
}

impl Fields {
    /// Asks the global propagator.
    fn of_process() -> Self {
        global::get_text_map_propagator(|propagator| {
            propagator.fields().fold(Self::Span, |known, field| match (known, field) {
                (known, "traceparent" | "tracestate") => known,
                (Self::Span | Self::Baggage, "baggage") => Self::Baggage,
                _ => Self::Foreign,
            })
        })
    }
}

fn set_state(headers: &mut Headers, state: &TraceState) {
    if *state != TraceState::NONE
        && let Ok(state) = HeaderValue::try_from(state.header())
    {
        headers.put(header::TRACESTATE, state);
    } else {
        headers.remove(&header::TRACESTATE);
    }
}

/// `00-<trace>-<span>-<flags>`, in lower case.
fn traceparent(span: &SpanContext) -> HeaderValue {
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    let flags = span.trace_flags() & TraceFlags::SAMPLED;
    write(&mut text, 3, &span.trace_id().to_bytes());
    write(&mut text, 36, &span.span_id().to_bytes());
    write(&mut text, 53, &[flags.to_u8()]);
    HeaderValue::known(std::str::from_utf8(&text).unwrap_or_default())
}

/// Writes bytes as lower-case hexadecimal digits, from a place on.
fn write(text: &mut [u8], start: usize, bytes: &[u8]) {
    let digit = |value: u8| value + if value < 10 { b'0' } else { b'a' - 10 };
    let places = text.get_mut(start..).unwrap_or_default().chunks_exact_mut(2);
    for (place, byte) in places.zip(bytes) {
        place.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
    }
}

/// Reads the sender's span from the headers, if there is a valid one.
pub(super) fn extract(headers: &Headers) -> Option<SpanContext> {
    let (version, rest) = headers.value(&header::TRACEPARENT)?.as_str().as_bytes().split_first_chunk::<2>()?;
    let (trace, rest) = rest.strip_prefix(b"-")?.split_first_chunk::<32>()?;
    let (span, rest) = rest.strip_prefix(b"-")?.split_first_chunk::<16>()?;
    let (flags, rest) = rest.strip_prefix(b"-")?.split_first_chunk::<2>()?;
    // Later versions may add parts at the end; version ff is forbidden (section 3.2.2).
    let is_known = if version == b"00" { rest.is_empty() } else { rest.is_empty() || rest.starts_with(b"-") };
    if !is_known || version == b"ff" {
        return None;
    }
    let ([_], [flags]) = (read(version)?, read(flags)?);
    let (trace, span) = (TraceId::from_bytes(read(trace)?), SpanId::from_bytes(read(span)?));
    let state = headers.get(&header::TRACESTATE).and_then(|state| TraceState::from_str(state).ok());
    let flags = TraceFlags::new(flags) & TraceFlags::SAMPLED;
    let context = SpanContext::new(trace, span, flags, true, state.unwrap_or_default());
    context.is_valid().then_some(context)
}

/// The bytes that lower-case hexadecimal digits stand for, when there are two for each and nothing else.
fn read<const BYTES: usize>(digits: &[u8]) -> Option<[u8; BYTES]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => u8::MAX,
    };
    let mut bytes = [0; BYTES];
    let mut are_digits = digits.len() == 2 * BYTES;
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        let (high, low) = (value(high), value(low));
        are_digits &= high | low < 16;
        *byte = high << 4 | low & 0xf;
    }
    are_digits.then_some(bytes)
}

struct Writer<'h>(&'h mut Headers);

impl Injector for Writer<'_> {
    fn set(&mut self, key: &str, value: String) {
        let name = match key {
            "baggage" => Ok(header::BAGGAGE),
            other => HeaderName::new(other),
        };
        // A propagator that writes what no header may hold is left alone.
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
            self.0.put(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::propagation::text_map_propagator::FieldIter;
    use opentelemetry::propagation::{Extractor, TextMapPropagator};

    use super::*;

    /// One that writes a header of its own.
    #[derive(Debug)]
    struct Other([String; 1]);

    impl TextMapPropagator for Other {
        fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
            injector.set("X-Trace", context.span().span_context().trace_id().to_string());
        }

        fn extract_with_context(&self, context: &Context, _: &dyn Extractor) -> Context {
            context.clone()
        }

        fn fields(&self) -> FieldIter<'_> {
            FieldIter::new(&self.0)
        }
    }

    #[test]
    fn a_propagator_of_another_convention_writes_as_well() {
        assert_eq!(Fields::of_process(), Fields::Span);
        global::set_text_map_propagator(Other(["X-Trace".to_owned()]));
        let injection = Injection::of_process();
        assert_eq!(injection, Injection { propagation: Propagation::All, fields: Fields::Foreign });
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let mut headers = Headers::new();
        injection.inject(&Context::new(), &sender(text).expect("valid"), &mut headers);
        assert_eq!(headers.get(&header::TRACEPARENT), Some(text));
        assert_eq!(headers.get("X-Trace"), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    }

    fn sender(traceparent: &str) -> Option<SpanContext> {
        let mut headers = Headers::new();
        headers.insert(header::TRACEPARENT, traceparent).expect("valid");
        extract(&headers)
    }

    #[test]
    fn reads_what_the_recommendation_shows_and_nothing_else() {
        let span = sender("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").expect("valid");
        assert_eq!(span.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(span.is_sampled() && span.is_remote());
        assert!(sender("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-new").is_some());
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01new",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ] {
            assert!(sender(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let mut headers = Headers::new();
        headers.insert(header::TRACESTATE, "of=another").expect("valid");
        let injection = Injection { propagation: Propagation::All, fields: Fields::Span };
        injection.inject(&Context::new(), &sender(text).expect("valid"), &mut headers);
        assert_eq!(headers.get(&header::TRACEPARENT), Some(text));
        assert_eq!(headers.get(&header::TRACESTATE), None);
    }
}
