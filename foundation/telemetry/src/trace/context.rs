//! The place of a span in its trace, and how it travels: `traceparent` and `tracestate` (W3C Trace Context), and
//! `grpc-trace-bin` (OpenCensus' binary format, which gRPC apps of Dapr read).
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{self as otel, TraceFlags, TraceState};
use std::fmt::Write as _;
use std::str::FromStr;

pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
pub const GRPC_TRACE_BIN: HeaderName = HeaderName::from_static("grpc-trace-bin");

/// Versions above are not defined (W3C Trace Context 3.2.2.1).
const MAX_VERSION: u8 = 254;
/// A longer `tracestate` is left out.
const MAX_STATE: usize = 512;
/// Some write binary metadata with padding, some without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// What an app gets where nothing is traced (contract surface 0.35).
const ZEROS: HeaderValue = HeaderValue::from_static("00-00000000000000000000000000000000-0000000000000000-00");

/// The place of a span in its trace; the default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpanContext {
    trace: [u8; 16],
    span: [u8; 8],
    flags: u8,
    state: String,
}

impl SpanContext {
    /// That of an HTTP request: `tracestate` counts only beside a valid `traceparent`.
    pub fn of_headers(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        text(TRACEPARENT).and_then(Self::parse).unwrap_or_default().with_state(headers)
    }

    /// That of a gRPC request: `grpc-trace-bin`, else as over HTTP.
    pub fn of_metadata(metadata: &HeaderMap) -> Self {
        let binary = metadata.get(GRPC_TRACE_BIN).and_then(|value| BASE64.decode(value.as_bytes()).ok());
        match binary {
            Some(binary) => Self::from_binary(&binary).unwrap_or_default().with_state(metadata),
            None => Self::of_headers(metadata),
        }
    }

    fn with_state(self, headers: &HeaderMap) -> Self {
        let state = headers.get(TRACESTATE).and_then(|value| value.to_str().ok()).filter(|_| self.is_valid());
        let state = state.and_then(|state| TraceState::from_str(state).ok());
        Self { state: state.map(|state| state.header()).unwrap_or_default(), ..self }
    }

    /// Reads a `traceparent`; none for one that is malformed or names no trace.
    pub fn parse(traceparent: &str) -> Option<Self> {
        let parts: Vec<&str> = traceparent.split('-').collect();
        let [version, trace, span, flags, more @ ..] = parts.as_slice() else { return None };
        let [version] = bytes::<1>(version)?;
        if version > MAX_VERSION || (version == 0 && !more.is_empty()) {
            return None;
        }
        let [flags] = bytes::<1>(flags)?;
        let context = Self { trace: bytes(trace)?, span: bytes(span)?, flags, state: String::new() };
        context.is_valid().then_some(context)
    }

    /// Reads the value of `grpc-trace-bin`: version 0, then fields 0 (trace), 1 (span) and 2 (flags).
    pub fn from_binary(binary: &[u8]) -> Option<Self> {
        let rest = binary.strip_prefix(&[0, 0])?;
        let (trace, rest) = rest.split_first_chunk::<16>()?;
        let (span, rest) = match rest.split_first() {
            Some((1, rest)) => rest.split_first_chunk::<8>()?,
            _ => return None,
        };
        let flags = rest.strip_prefix(&[2]).and_then(|rest| rest.first()).copied().unwrap_or_default();
        let context = Self { trace: *trace, span: *span, flags, state: String::new() };
        context.is_valid().then_some(context)
    }

    /// Whether it names a trace and a span.
    pub fn is_valid(&self) -> bool {
        self.trace != [0; 16] && self.span != [0; 8]
    }

    /// Whether the trace is one that is recorded.
    pub fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }

    /// As `traceparent`; empty when it is none.
    pub fn traceparent(&self) -> String {
        let mut text = String::with_capacity(55);
        if self.is_valid() {
            text.push_str("00-");
            hex(&mut text, &self.trace);
            text.push('-');
            hex(&mut text, &self.span);
            text.push('-');
            hex(&mut text, &[self.flags]);
        }
        text
    }

    /// As `tracestate`; empty when there is none.
    pub fn tracestate(&self) -> &str {
        if self.state.len() > MAX_STATE { "" } else { &self.state }
    }

    /// The id of the trace in hexadecimal digits.
    pub fn trace_id(&self) -> String {
        let mut text = String::with_capacity(32);
        hex(&mut text, &self.trace);
        text
    }

    /// As the value of `grpc-trace-bin`, before base64.
    pub fn to_binary(&self) -> [u8; 29] {
        let mut binary = [0; 29];
        binary[2..18].copy_from_slice(&self.trace);
        binary[18] = 1;
        binary[19..27].copy_from_slice(&self.span);
        (binary[27], binary[28]) = (2, self.flags);
        binary
    }

    /// Replaces the trace of HTTP headers; when it is none, they get the `traceparent` of zeros.
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        let parent = HeaderValue::try_from(self.traceparent()).ok().filter(|_| self.is_valid());
        headers.insert(TRACEPARENT, parent.unwrap_or(ZEROS));
        headers.remove(TRACESTATE);
        if let Some(state) = HeaderValue::try_from(self.tracestate()).ok().filter(|state| !state.is_empty()) {
            headers.insert(TRACESTATE, state);
        }
    }

    /// Replaces the trace of gRPC metadata, in both forms.
    pub fn write_metadata(&self, metadata: &mut HeaderMap) {
        self.write_headers(metadata);
        match self.binary_value() {
            Some(binary) => drop(metadata.insert(GRPC_TRACE_BIN, binary)),
            None => drop(metadata.remove(GRPC_TRACE_BIN)),
        }
    }

    /// The value of `grpc-trace-bin`; none when there is no trace.
    pub fn binary_value(&self) -> Option<HeaderValue> {
        HeaderValue::try_from(BASE64.encode(self.to_binary())).ok().filter(|_| self.is_valid())
    }

    pub(super) fn of_otel(context: &otel::SpanContext) -> Self {
        Self {
            trace: context.trace_id().to_bytes(),
            span: context.span_id().to_bytes(),
            flags: context.trace_flags().to_u8(),
            state: context.trace_state().header(),
        }
    }

    pub(super) fn to_otel(&self) -> otel::SpanContext {
        let (trace, span) = (otel::TraceId::from_bytes(self.trace), otel::SpanId::from_bytes(self.span));
        let state = TraceState::from_str(&self.state).unwrap_or_default();
        otel::SpanContext::new(trace, span, TraceFlags::new(self.flags), true, state)
    }
}

fn hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        write!(text, "{byte:02x}").ok();
    }
}

/// Exactly so many bytes, in hexadecimal digits of any case: W3C allows only lower case, but Dapr reads both.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}
