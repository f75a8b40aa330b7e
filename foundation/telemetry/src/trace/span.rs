//! One span.
use super::context::SpanContext;
use super::tracer::Tracer;
use opentelemetry::KeyValue;
use opentelemetry::trace::{self as otel, Span as _, Status};
use opentelemetry_sdk::trace::Span as SdkSpan;
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

/// What a span is to the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    Client,
    Server,
    Producer,
    Internal,
}

/// A span that has begun. It ends with its last clone, if not before.
#[derive(Clone, Debug)]
pub struct Span {
    context: SpanContext,
    /// None when it is not recorded.
    recorded: Option<Arc<Mutex<SdkSpan>>>,
    tracer: Tracer,
}

impl Span {
    pub(super) fn handed_on(context: SpanContext, tracer: Tracer) -> Self {
        Self { context, recorded: None, tracer }
    }

    pub(super) fn started(context: SpanContext, span: SdkSpan, tracer: Tracer) -> Self {
        let recorded = span.is_recording().then(|| Arc::new(Mutex::new(span)));
        Self { context, recorded, tracer }
    }

    /// Its place in the trace, which is handed on to whoever is called.
    pub fn context(&self) -> &SpanContext {
        &self.context
    }

    /// Whether attributes are kept; else they need not be made.
    pub fn is_recorded(&self) -> bool {
        self.recorded.is_some()
    }

    /// Starts a span below this one.
    pub fn child(&self, name: impl Into<Cow<'static, str>>, kind: SpanKind) -> Self {
        self.tracer.start(name, kind, &self.context)
    }

    /// Gives it another name.
    pub fn rename(&self, name: impl Into<Cow<'static, str>>) {
        self.change(|span| span.update_name(name));
    }

    /// Adds an attribute; an empty value is none.
    pub fn set(&self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        let value = value.into();
        if !value.is_empty() {
            self.change(|span| span.set_attribute(KeyValue::new(name.into(), value)));
        }
    }

    /// Marks it as failed.
    pub fn fail(&self, description: impl Into<Cow<'static, str>>) {
        self.change(|span| span.set_status(Status::Error { description: description.into() }));
    }

    /// Marks it as failed when the HTTP status is that of an error, in Dapr's words.
    pub fn fail_for_status(&self, status: http::StatusCode) {
        if self.is_recorded() && status.as_u16() >= 400 {
            self.fail(format!("Code({}): {}", status.as_u16(), status.canonical_reason().unwrap_or("Unknown")));
        }
    }

    /// Ends it now.
    pub fn end(&self) {
        self.change(|span| span.end());
    }

    fn change(&self, change: impl FnOnce(&mut SdkSpan)) {
        if let Some(span) = &self.recorded {
            change(&mut span.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl From<SpanKind> for otel::SpanKind {
    fn from(kind: SpanKind) -> Self {
        match kind {
            SpanKind::Client => Self::Client,
            SpanKind::Server => Self::Server,
            SpanKind::Producer => Self::Producer,
            SpanKind::Internal => Self::Internal,
        }
    }
}
