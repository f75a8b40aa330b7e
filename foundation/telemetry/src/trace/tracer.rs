//! Starts spans, as the settings want it.
use super::context::SpanContext;
use super::settings::TraceSettings;
use super::span::{Span, SpanKind};
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, TraceContextExt, Tracer as _, TracerProvider};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, SpanProcessor};
use std::borrow::Cow;

const NAME: &str = "dapr-diagnostics";

/// Starts spans. Clones start spans of the same service. The default hands traces on without adding to them, which is
/// what a sidecar does that is told nothing about tracing.
#[derive(Clone, Debug, Default)]
pub struct Tracer(Mode);

#[derive(Clone, Debug, Default)]
enum Mode {
    /// Traces of others are none of our business (`samplingRate: "0"`).
    Off,
    #[default]
    HandOn,
    Record(SdkTracer),
}

impl Tracer {
    /// Leaves all traces alone.
    pub fn off() -> Self {
        Self(Mode::Off)
    }

    /// A tracer whose finished spans go to `processor`.
    pub(crate) fn new(settings: &TraceSettings, processor: Option<impl SpanProcessor + 'static>) -> Self {
        if settings.rate() == 0.0 {
            return Self::off();
        }
        if !settings.is_configured() {
            return Self::default();
        }
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.rate())));
        let mut builder = SdkTracerProvider::builder().with_sampler(sampler).with_resource(resource(settings));
        if let Some(processor) = processor {
            builder = builder.with_span_processor(processor);
        }
        Self(Mode::Record(builder.build().tracer(NAME)))
    }

    /// Whether traces are left alone.
    pub fn is_off(&self) -> bool {
        matches!(self.0, Mode::Off)
    }

    /// Starts a span below `parent`, or a new trace where that is none.
    pub fn start(&self, name: impl Into<Cow<'static, str>>, kind: SpanKind, parent: &SpanContext) -> Span {
        let Mode::Record(tracer) = &self.0 else { return Span::handed_on(parent.clone(), self.clone()) };
        let above = opentelemetry::Context::new();
        let above = if parent.is_valid() { above.with_remote_span_context(parent.to_otel()) } else { above };
        let builder = tracer.span_builder(name).with_kind(kind.into());
        let started = tracer.build_with_context(builder, &above);
        Span::started(SpanContext::of_otel(started.span_context()), started, self.clone())
    }
}

/// What is said of the service.
pub(crate) fn resource(settings: &TraceSettings) -> Resource {
    let service = KeyValue::new("service.name", settings.app_id.clone());
    let given = settings.resource.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    Resource::builder_empty().with_attributes([service].into_iter().chain(given)).build()
}
