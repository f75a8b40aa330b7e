//! OTLP over HTTP, in protobuf.
use super::connector::{Poster, headers, parse};
use super::{ExportError, Sink};
use crate::trace::{OtlpSettings, TraceError};
use async_trait::async_trait;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Uri};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
const TRACES: &str = "/v1/traces";
const LOGS: &str = "/v1/logs";

/// A collector that is posted to.
pub(super) struct OtlpHttp {
    poster: Poster,
    name: String,
    logs: Uri,
}

impl OtlpHttp {
    /// An endpoint with a path is taken as it is for traces.
    pub(super) fn new(settings: &OtlpSettings) -> Result<Self, TraceError> {
        let scheme = if settings.secure { "https" } else { "http" };
        let name = format!("{scheme}://{}", settings.endpoint);
        let mut headers = headers(&settings.headers)?;
        headers.insert(CONTENT_TYPE, PROTOBUF);
        let traces = if settings.endpoint.contains('/') { name.clone() } else { format!("{name}{TRACES}") };
        let base = traces.strip_suffix(TRACES).unwrap_or(&traces);
        let logs = parse(&format!("{}{LOGS}", base.trim_end_matches('/')))?;
        Ok(Self { poster: Poster::new(&traces, headers, settings.timeout)?, name, logs })
    }
}

#[async_trait]
impl Sink for OtlpHttp {
    fn name(&self) -> &str {
        &self.name
    }

    async fn traces(&self, traces: &ExportTraceServiceRequest) -> Result<(), ExportError> {
        self.poster.post(traces.encode_to_vec()).await
    }

    async fn logs(&self, logs: &ExportLogsServiceRequest) -> Result<(), ExportError> {
        self.poster.post_to(&self.logs, logs.encode_to_vec()).await
    }
}
