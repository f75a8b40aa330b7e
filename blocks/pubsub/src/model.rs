//! What is published, free of any transport.
use crate::error::Error;
use bytes::Bytes;
use component_api::Metadata;
use foundation_telemetry::{Span, SpanContext};

/// The trace that an event belongs to, as W3C writes it; both empty when nothing is traced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    pub parent: String,
    pub state: String,
}

impl From<&SpanContext> for Trace {
    fn from(context: &SpanContext) -> Self {
        Self { parent: context.traceparent(), state: context.tracestate().to_owned() }
    }
}

impl From<&Span> for Trace {
    fn from(span: &Span) -> Self {
        span.context().into()
    }
}

/// Which API a request came by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Api {
    #[default]
    Http,
    Grpc,
}

/// One event to publish.
#[derive(Clone, Debug, Default)]
pub struct PublishRequest {
    pub pubsub: String,
    pub topic: String,
    pub data: Bytes,
    /// Empty stands for `text/plain`.
    pub content_type: String,
    /// `rawPayload`, `ttlInSeconds`, `cloudevent.*`, and what the component knows.
    pub metadata: Metadata,
    pub trace: Trace,
    /// Retry policies know failures by the statuses of this API. Over gRPC the trace of a raw message, which has no
    /// envelope for it, goes into its metadata.
    pub api: Api,
}

/// Several events for one topic.
#[derive(Clone, Debug, Default)]
pub struct BulkPublishRequest {
    pub pubsub: String,
    pub topic: String,
    pub entries: Vec<BulkEntry>,
    pub metadata: Metadata,
    /// The span of the request, and the name of those that its events get below it.
    pub span: Option<(Span, String)>,
    /// Retry policies know failures by the statuses of this API.
    pub api: Api,
}

/// One event of a bulk.
#[derive(Clone, Debug, Default)]
pub struct BulkEntry {
    /// Unique in its bulk.
    pub id: String,
    pub data: Bytes,
    pub content_type: String,
    /// None means that the metadata of the bulk does not count for this entry either (surface.md 0.6).
    pub metadata: Option<Metadata>,
}

/// A bulk that was not published as a whole.
#[derive(Debug)]
pub struct BulkFailure {
    pub error: Error,
    /// Ids of entries with the reason; none when the request was refused.
    pub failed: Vec<(String, String)>,
}

impl From<Error> for BulkFailure {
    fn from(error: Error) -> Self {
        Self { error, failed: Vec::new() }
    }
}

/// Whether metadata asks for messages without an envelope. The name is matched exactly, as in Dapr.
pub(crate) fn raw_payload(metadata: &Metadata) -> Result<bool, String> {
    match metadata.get("rawPayload").map_or("", String::as_str) {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "" | "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        other => Err(format!("rawPayload value must be a valid boolean: actual is '{other}'")),
    }
}
