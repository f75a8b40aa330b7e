//! One event of an input binding: to the app, and what its answer asks for.
use crate::service::Service;
use async_trait::async_trait;
use bytes::Bytes;
use component_api::binding::{Event, Handle, Request};
use component_api::{Error, Metadata, Result};
use foundation_app::{BindingAnswer, BindingEvent, Channel};
use foundation_drain::{Drain, isolated};
use foundation_resiliency::ComponentKind;
use foundation_telemetry::{Span, SpanContext, SpanKind, TRACEPARENT, TRACESTATE};
use http::{HeaderMap, HeaderValue};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio::sync::watch;
use wire::common::v1::StateItem;

const SCOPE: &str = "dapr.runtime.processor.binding";
const ON_BINDING_EVENT: &str = "/dapr.proto.runtime.v1.AppCallback/OnBindingEvent";

/// Saves state for an app, by the rules of the state API.
#[async_trait]
pub trait SaveState: Send + Sync {
    /// # Errors
    /// Why it was not saved.
    async fn save(&self, store: String, states: Vec<StateItem>) -> std::result::Result<(), String>;
}

/// What deliveries of all bindings share.
pub(crate) struct Delivery {
    pub(crate) service: Arc<Service>,
    pub(crate) app: Arc<dyn Channel>,
    pub(crate) states: Arc<dyn SaveState>,
    /// Owns what an answer asks for and nobody waits for.
    pub(crate) drain: Drain,
}

/// The events of one binding.
pub(crate) struct Events {
    pub(crate) delivery: Arc<Delivery>,
    pub(crate) name: String,
    pub(crate) route: String,
    pub(crate) closed: AtomicBool,
    /// How many are in work.
    pub(crate) in_work: watch::Sender<usize>,
}

#[async_trait]
impl Handle for Events {
    async fn handle(&self, event: Event) -> Result<Bytes> {
        let _in_work = InWork::new(&self.in_work);
        if self.closed.load(Ordering::SeqCst) {
            return Err(Error::other("input binding is closed"));
        }
        let Event { data, metadata } = event;
        let (name, route) = (self.name.clone(), self.route.clone());
        let span = self.span(&metadata);
        let mut event = BindingEvent { name, route, data, metadata, ..BindingEvent::default() };
        if let Some(context) = span.as_ref().map(Span::context).filter(|context| context.is_valid()) {
            context.write_headers(&mut event.headers);
        }
        let start = Instant::now();
        let answer =
            isolated(self.deliver(&event)).await.unwrap_or_else(|panicked| Err(Error::other(panicked.to_string())));
        if let (Some(span), Err(error)) = (&span, &answer) {
            span.fail(error.to_string());
        }
        drop(span);
        self.delivery.service.metrics().input_binding(&self.name, answer.is_ok(), start.elapsed());
        let answer = answer?;
        let data = answer.data.clone();
        self.delivery.follow(answer).await;
        Ok(data)
    }
}

impl Events {
    /// Starts the span of an event, below the trace that its metadata names.
    fn span(&self, metadata: &Metadata) -> Option<Span> {
        let (service, app) = (&self.delivery.service, &self.delivery.app);
        if service.tracer().is_off() {
            return None;
        }
        let name = &self.name;
        let span = service.tracer().start(format!("bindings/{name}"), SpanKind::Client, &parent(metadata));
        if span.is_recorded() {
            let call = if app.protocol().is_grpc() { ON_BINDING_EVENT.to_owned() } else { format!("POST /{name}") };
            span.set("db.name", name.as_str());
            span.set("db.system", "bindings");
            span.set("db.connection_string", call);
            span.set("rpc.service", "Dapr");
        }
        Some(span)
    }

    async fn deliver(&self, event: &BindingEvent) -> Result<BindingAnswer> {
        let policy = self.delivery.service.resiliency().inbound(&self.name, ComponentKind::Binding);
        let attempt = || async { self.delivery.app.binding_event(event).await.map_err(Undelivered) };
        policy.run(attempt).await.map_err(|error| Error::other(error.to_string()))
    }

    /// Takes no more events and waits for those in work. Returns whether there were any.
    pub(crate) async fn close(&self) -> bool {
        self.closed.store(true, Ordering::SeqCst);
        let had_some = *self.in_work.borrow() > 0;
        self.in_work.subscribe().wait_for(|in_work| *in_work == 0).await.ok();
        had_some
    }
}

impl Delivery {
    /// Does what the answer asks for. What goes wrong is logged: the event is done all the same.
    async fn follow(self: &Arc<Self>, answer: BindingAnswer) {
        let BindingAnswer { data, store, states, to, parallel } = answer;
        if !states.is_empty() {
            let delivery = Arc::clone(self);
            self.drain.spawn(async move { delivery.save(store, states).await });
        }
        if parallel {
            to.into_iter().for_each(|name| self.drain.spawn(Arc::clone(self).send_alone(name, data.clone())));
            return;
        }
        for name in to {
            if let Err(reason) = self.send(&name, data.clone()).await {
                tracing::error!(target: SCOPE, "error executing app response: {reason}");
                return;
            }
        }
    }

    async fn save(&self, store: String, states: Vec<StateItem>) {
        if let Err(reason) = self.states.save(store, states).await {
            tracing::error!(target: SCOPE, "error saving state from app response: {reason}");
        }
    }

    async fn send_alone(self: Arc<Self>, name: String, data: Bytes) {
        if let Err(reason) = self.send(&name, data).await {
            tracing::error!(target: SCOPE, "{reason}");
        }
    }

    async fn send(&self, name: &str, data: Bytes) -> std::result::Result<(), String> {
        let request = Request { operation: "create".to_owned(), data, metadata: Metadata::new() };
        let outcome = self.service.invoke(name, request).await;
        outcome.result.map(drop).map_err(|error| error.to_string())
    }
}

/// The trace that an event came with.
fn parent(metadata: &Metadata) -> SpanContext {
    let mut headers = HeaderMap::new();
    for name in [TRACEPARENT, TRACESTATE] {
        let value = metadata.get(name.as_str()).and_then(|value| HeaderValue::try_from(value).ok());
        headers.extend(value.map(|value| (name, value)));
    }
    SpanContext::of_headers(&headers)
}

/// An attempt that failed.
struct Undelivered(foundation_app::Error);

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            // The app's own refusal speaks for itself.
            foundation_app::Error::Rejected { message, .. } => f.write_str(message),
            other => write!(f, "error invoking app: {other}"),
        }
    }
}

impl foundation_resiliency::Failure for Undelivered {
    fn code(&self) -> Option<i32> {
        self.0.code()
    }
}

/// Counts an event as in work as long as it lives.
struct InWork<'a>(&'a watch::Sender<usize>);

impl<'a> InWork<'a> {
    fn new(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|in_work| *in_work += 1);
        Self(count)
    }
}

impl Drop for InWork<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|in_work| *in_work -= 1);
    }
}
