//! OTLP over gRPC.
use crate::encoding::MOST;
use crate::service::Service;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use std::sync::Arc;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// What the paths of the three services begin with.
pub const SERVICES: &str = "/opentelemetry.proto.collector.";

/// The three services.
pub fn routes(service: Arc<Service>) -> Routes {
    let receiver = Receiver(service);
    let traces = TraceServiceServer::new(receiver.clone()).accept_compressed(Gzip).max_decoding_message_size(MOST);
    let metrics = MetricsServiceServer::new(receiver.clone()).accept_compressed(Gzip).max_decoding_message_size(MOST);
    let logs = LogsServiceServer::new(receiver).accept_compressed(Gzip).max_decoding_message_size(MOST);
    Routes::new(traces).add_service(metrics).add_service(logs).prepare()
}

#[derive(Clone)]
struct Receiver(Arc<Service>);

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        Ok(Response::new(self.0.traces(request.into_inner())?))
    }
}

#[tonic::async_trait]
impl MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        Ok(Response::new(self.0.metrics(request.into_inner())?))
    }
}

#[tonic::async_trait]
impl LogsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        Ok(Response::new(self.0.logs(request.into_inner())?))
    }
}
