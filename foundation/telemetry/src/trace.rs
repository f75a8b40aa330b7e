//! Traces (contract surface 5.2): W3C context and baggage, spans, sampling.
mod baggage;
mod context;
mod settings;
mod span;
mod tracer;

#[cfg(test)]
mod tests;

pub use baggage::{InvalidBaggage, check_baggage};
pub use context::{GRPC_TRACE_BIN, SpanContext, TRACEPARENT, TRACESTATE};
pub use settings::{OtlpProtocol, OtlpSettings, TraceError, TraceSettings};
pub use span::{Span, SpanKind};
pub use tracer::Tracer;
pub(crate) use tracer::resource;
