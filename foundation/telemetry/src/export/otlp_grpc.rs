//! OTLP over gRPC.
use super::connector::{headers, parse, tls_connector};
use super::{ExportError, Sink};
use crate::trace::{OtlpSettings, TraceError};
use async_trait::async_trait;
use http::HeaderMap;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use std::time::Duration;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// A collector that is called.
pub(super) struct OtlpGrpc {
    channel: Channel,
    address: String,
    headers: HeaderMap,
    deadline: Duration,
}

impl OtlpGrpc {
    /// Connects when there is something to send.
    pub(super) fn new(settings: &OtlpSettings) -> Result<Self, TraceError> {
        let scheme = if settings.secure { "https" } else { "http" };
        let address = format!("{scheme}://{}", settings.endpoint);
        let endpoint = Endpoint::from(parse(&address)?);
        let channel = if settings.secure {
            endpoint.connect_with_connector_lazy(tls_connector(&["h2"])?)
        } else {
            endpoint.connect_lazy()
        };
        Ok(Self { channel, address, headers: headers(&settings.headers)?, deadline: settings.timeout })
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        *request.metadata_mut() = MetadataMap::from_headers(self.headers.clone());
        request.set_timeout(self.deadline);
        request
    }

    async fn in_time<T>(&self, call: impl Future<Output = Result<T, Status>>) -> Result<(), ExportError> {
        let called = tokio::time::timeout(self.deadline, call).await.map_err(|_| ExportError::TimedOut)?;
        Ok(called.map(drop).map_err(Box::new)?)
    }
}

#[async_trait]
impl Sink for OtlpGrpc {
    fn name(&self) -> &str {
        &self.address
    }

    async fn traces(&self, traces: &ExportTraceServiceRequest) -> Result<(), ExportError> {
        let mut client = TraceServiceClient::new(self.channel.clone());
        self.in_time(client.export(self.request(traces.clone()))).await
    }

    async fn logs(&self, logs: &ExportLogsServiceRequest) -> Result<(), ExportError> {
        let mut client = LogsServiceClient::new(self.channel.clone());
        self.in_time(client.export(self.request(logs.clone()))).await
    }
}
