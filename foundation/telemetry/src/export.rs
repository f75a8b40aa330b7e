//! Where traces and logs go: collected into batches, sent by a task of the sidecar.
//!
//! Everything on its way has OTLP's form, so that what the app hands over leaves by the same exporters as the sidecar's own
//! spans. Messages, clients and servers of OTLP are those of the crate `opentelemetry-proto`.
mod connector;
mod otlp_grpc;
mod otlp_http;
mod stdout;
pub(crate) mod values;
mod zipkin;

#[cfg(test)]
mod tests;

use crate::trace::{OtlpProtocol, TraceError, TraceSettings, Tracer, resource};
use async_trait::async_trait;
use foundation_drain::Drain;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use prost::Message;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, timeout, timeout_at};

const SCOPE: &str = "dapr.runtime.trace";
/// What waits for its export; what comes on top is lost.
const QUEUE: usize = 2048;
const MOST: usize = 512;
/// KiB of the app's traces and logs that wait; what comes on top is refused.
const ROOM: usize = 16 << 10;
/// KiB of the app's traces and logs that a batch has room for.
const HEAVY: usize = 2 << 10;
/// How long the first of a batch waits for others.
const LONGEST: Duration = Duration::from_secs(1);
/// How long the last batches may take when the sidecar ends.
const FAREWELL: Duration = Duration::from_secs(3);

/// Hands on traces and logs of the app. Clones share the queue; the default has nowhere to send them to.
#[derive(Clone, Debug, Default)]
pub struct Exporter(Option<Outgoing>);

#[derive(Clone, Debug)]
struct Outgoing {
    items: mpsc::Sender<Item>,
    /// What the app may still have in the queue, in KiB.
    room: Arc<Semaphore>,
}

/// Traces or logs on their way. Those of the app hold the room that they take until they are sent.
#[derive(Debug)]
enum Item {
    Span(Box<SpanData>),
    Spans(Vec<ResourceSpans>, OwnedSemaphorePermit),
    Logs(Vec<ResourceLogs>, OwnedSemaphorePermit),
}

/// A place that traces and logs are sent to.
#[async_trait]
trait Sink: Send + Sync {
    fn name(&self) -> &str;

    async fn traces(&self, traces: &ExportTraceServiceRequest) -> Result<(), ExportError>;

    /// Not every place takes logs.
    async fn logs(&self, _: &ExportLogsServiceRequest) -> Result<(), ExportError> {
        Ok(())
    }
}

/// Why traces or logs were not taken.
#[derive(Debug, Error)]
enum ExportError {
    #[error("{0}")]
    Grpc(#[from] Box<tonic::Status>),
    #[error("cannot reach it: {0}")]
    Unreachable(#[from] hyper_util::client::legacy::Error),
    #[error("it answered {0}")]
    Refused(http::StatusCode),
    #[error("it did not answer in time")]
    TimedOut,
}

/// Starts exporters and the tracer that feeds them. They end with the drain, which waits for the last spans.
///
/// # Errors
/// [`TraceError`]: an exporter that cannot be set up.
pub fn start_tracing(settings: &TraceSettings, drain: &Drain) -> Result<(Tracer, Exporter), TraceError> {
    let sinks = sinks(settings)?;
    if sinks.is_empty() {
        return Ok((Tracer::new(settings, None::<Queue>), Exporter::default()));
    }
    let (sender, items) = mpsc::channel(QUEUE);
    let worker = Worker { items, resource: resource(settings), sinks: sinks.into_iter().map(Outlet::new).collect() };
    let stopping = drain.clone();
    drain.spawn(async move { worker.run(&stopping).await });
    let tracer = Tracer::new(settings, Some(Queue(sender.clone())));
    let room = Arc::new(Semaphore::new(ROOM));
    Ok((tracer, Exporter(Some(Outgoing { items: sender, room }))))
}

fn sinks(settings: &TraceSettings) -> Result<Vec<Box<dyn Sink>>, TraceError> {
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if settings.stdout {
        sinks.push(Box::new(stdout::Stdout));
    }
    if let Some(address) = &settings.zipkin {
        sinks.push(Box::new(zipkin::Zipkin::new(address)?));
    }
    match &settings.otlp {
        Some(otlp) if otlp.protocol == OtlpProtocol::Grpc => sinks.push(Box::new(otlp_grpc::OtlpGrpc::new(otlp)?)),
        Some(otlp) => sinks.push(Box::new(otlp_http::OtlpHttp::new(otlp)?)),
        None => {}
    }
    Ok(sinks)
}

impl Exporter {
    /// Whether there is a place to send to.
    pub fn is_enabled(&self) -> bool {
        self.0.is_some()
    }

    /// Sends traces of the app; whether there was room for them.
    pub fn traces(&self, spans: Vec<ResourceSpans>) -> bool {
        let bytes = spans.iter().map(Message::encoded_len).sum();
        self.send(bytes, |room| Item::Spans(spans, room))
    }

    /// Sends logs of the app; whether there was room for them.
    pub fn logs(&self, logs: Vec<ResourceLogs>) -> bool {
        let bytes = logs.iter().map(Message::encoded_len).sum();
        self.send(bytes, |room| Item::Logs(logs, room))
    }

    fn send(&self, bytes: usize, item: impl FnOnce(OwnedSemaphorePermit) -> Item) -> bool {
        let Some(Outgoing { items, room }) = &self.0 else { return true };
        let kibibytes = u32::try_from(bytes.div_ceil(1024).max(1)).unwrap_or(u32::MAX);
        let room = Arc::clone(room).try_acquire_many_owned(kibibytes);
        room.is_ok_and(|room| items.try_send(item(room)).is_ok())
    }
}

impl Item {
    /// KiB of what the app sent.
    fn weight(&self) -> usize {
        match self {
            Self::Span(_) => 0,
            Self::Spans(_, room) | Self::Logs(_, room) => room.num_permits(),
        }
    }
}

/// Takes finished spans of the sidecar.
#[derive(Debug)]
struct Queue(mpsc::Sender<Item>);

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &opentelemetry::Context) {}

    fn on_end(&self, span: SpanData) {
        if self.0.try_send(Item::Span(Box::new(span))).is_err() {
            tracing::debug!(target: SCOPE, "a span was lost: the exporter is too slow or has ended");
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// What a batch holds of the queue's room.
type Rooms = Vec<OwnedSemaphorePermit>;

/// Collects and sends.
struct Worker {
    items: mpsc::Receiver<Item>,
    resource: Resource,
    sinks: Vec<Outlet>,
}

impl Worker {
    async fn run(mut self, stopping: &Drain) {
        loop {
            let first = tokio::select! {
                first = self.items.recv() => first,
                () = stopping.stopped() => break,
            };
            let Some(first) = first else { return };
            let batch = self.collect(first, stopping).await;
            self.send(batch).await;
        }
        self.items.close();
        timeout(FAREWELL, self.send_rest(stopping)).await.ok();
    }

    async fn send_rest(&mut self, stopping: &Drain) {
        while let Ok(first) = self.items.try_recv() {
            let batch = self.collect(first, stopping).await;
            self.send(batch).await;
        }
    }

    /// The first and what comes soon after it.
    async fn collect(&mut self, first: Item, stopping: &Drain) -> Vec<Item> {
        let end = Instant::now() + LONGEST;
        let (mut weight, mut batch) = (first.weight(), vec![first]);
        while batch.len() < MOST && weight < HEAVY {
            let next = tokio::select! {
                biased;
                next = timeout_at(end, self.items.recv()) => next,
                () = stopping.stopped() => Ok(self.items.try_recv().ok()),
            };
            let Ok(Some(next)) = next else { break };
            weight += next.weight();
            batch.push(next);
        }
        batch
    }

    async fn send(&mut self, batch: Vec<Item>) {
        let (traces, logs, _room) = self.requests(batch);
        for outlet in &mut self.sinks {
            if !traces.resource_spans.is_empty() {
                let sent = outlet.sink.traces(&traces).await;
                outlet.note(sent);
            }
            if !logs.resource_logs.is_empty() {
                let sent = outlet.sink.logs(&logs).await;
                outlet.note(sent);
            }
        }
    }

    fn requests(&self, batch: Vec<Item>) -> (ExportTraceServiceRequest, ExportLogsServiceRequest, Rooms) {
        let (mut own, mut spans, mut logs, mut rooms) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for item in batch {
            match item {
                Item::Span(span) => own.push(*span),
                Item::Spans(more, room) => {
                    spans.extend(more);
                    rooms.push(room);
                }
                Item::Logs(more, room) => {
                    logs.extend(more);
                    rooms.push(room);
                }
            }
        }
        if !own.is_empty() {
            let resource = ResourceAttributesWithSchema::from(&self.resource);
            spans.extend(group_spans_by_resource_and_scope(own, &resource));
        }
        (ExportTraceServiceRequest { resource_spans: spans }, ExportLogsServiceRequest { resource_logs: logs }, rooms)
    }
}

/// A sink, and whether it works.
struct Outlet {
    sink: Box<dyn Sink>,
    failing: bool,
}

impl Outlet {
    fn new(sink: Box<dyn Sink>) -> Self {
        Self { sink, failing: false }
    }

    /// Only changes are worth a line in the log.
    fn note(&mut self, sent: Result<(), ExportError>) {
        let failed = sent.is_err();
        match sent {
            Err(error) if !self.failing => {
                tracing::warn!(target: SCOPE, "cannot export to {}: {error}", self.sink.name());
            }
            Ok(()) if self.failing => tracing::info!(target: SCOPE, "exporting to {} again", self.sink.name()),
            _ => {}
        }
        self.failing = failed;
    }
}
