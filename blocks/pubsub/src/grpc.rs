//! Publishing over gRPC.
use crate::model::{Api, BulkEntry, BulkPublishRequest, PublishRequest, Trace};
use crate::service::Service;
use component_api::Metadata;
use foundation_telemetry::Span;
use std::collections::HashMap;
use tonic::{Request, Response, Status};
use wire::runtime::v1;

/// The method that the spans of a bulk's events are named by.
const BULK_PUBLISH: &str = "/dapr.proto.runtime.v1.Dapr/BulkPublishEventAlpha1";

/// Publishes one event.
///
/// # Errors
/// Those of [`crate::Error`].
pub async fn publish_event(
    service: &Service,
    mut request: Request<v1::PublishEventRequest>,
) -> Result<Response<()>, Status> {
    let trace = request.extensions_mut().remove::<Span>().as_ref().map(Trace::from).unwrap_or_default();
    let model = PublishRequest { trace, ..request.into_inner().into() };
    service.publish(model).await?;
    Ok(Response::new(()))
}

/// Publishes several events: all, or the answer is an error.
///
/// # Errors
/// Those of [`crate::Error`].
pub async fn bulk_publish_event(
    service: &Service,
    mut request: Request<v1::BulkPublishRequest>,
) -> Result<Response<v1::BulkPublishResponse>, Status> {
    let span = request.extensions_mut().remove::<Span>().map(|span| (span, BULK_PUBLISH.to_owned()));
    let model = BulkPublishRequest { span, ..request.into_inner().into() };
    service.bulk_publish(model).await.map_err(|failure| failure.error)?;
    Ok(Response::new(v1::BulkPublishResponse::default()))
}

impl From<v1::PublishEventRequest> for PublishRequest {
    fn from(request: v1::PublishEventRequest) -> Self {
        Self {
            pubsub: request.pubsub_name,
            topic: request.topic,
            data: request.data,
            content_type: request.data_content_type,
            metadata: request.metadata.into_iter().collect(),
            api: Api::Grpc,
            ..Self::default()
        }
    }
}

impl From<v1::BulkPublishRequest> for BulkPublishRequest {
    fn from(request: v1::BulkPublishRequest) -> Self {
        Self {
            pubsub: request.pubsub_name,
            topic: request.topic,
            entries: request.entries.into_iter().map(Into::into).collect(),
            metadata: request.metadata.into_iter().collect(),
            api: Api::Grpc,
            ..Self::default()
        }
    }
}

impl From<v1::BulkPublishRequestEntry> for BulkEntry {
    fn from(entry: v1::BulkPublishRequestEntry) -> Self {
        Self {
            id: entry.entry_id,
            data: entry.event,
            content_type: entry.content_type,
            metadata: given(entry.metadata),
        }
    }
}

/// Protobuf does not tell an empty map from none; Dapr takes it as none.
fn given(metadata: HashMap<String, String>) -> Option<Metadata> {
    (!metadata.is_empty()).then(|| metadata.into_iter().collect())
}
