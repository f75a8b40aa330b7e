//! Publishing over HTTP.
use crate::bulk_body::{Invalid, read};
use crate::error::Error;
use crate::model::{Api, BulkFailure, BulkPublishRequest, PublishRequest, Trace};
use crate::service::Service;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use bytes::Bytes;
use component_api::Metadata;
use foundation_endpoint::{Endpoints, query_metadata, read_body};
use foundation_fault::Fault;
use foundation_telemetry::Span;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde_json::json;
use std::sync::Arc;

const METHODS: MethodFilter = MethodFilter::POST.or(MethodFilter::PUT);

/// The endpoints of publishing.
pub fn endpoints(service: Arc<Service>) -> Endpoints {
    let bulk = || on(METHODS, bulk_publish).with_state(Arc::clone(&service));
    Endpoints::new()
        .add("v1.0", "publish", "publish/{pubsub}/{*topic}", on(METHODS, publish).with_state(Arc::clone(&service)))
        .add("v1.0", "publish", "publish/bulk/{pubsub}/{*topic}", bulk())
        .add("v1.0-alpha1", "publish", "publish/bulk/{pubsub}/{*topic}", bulk())
}

type Names = Path<(String, String)>;

async fn publish(State(service): State<Arc<Service>>, Path((pubsub, topic)): Names, request: Request) -> Response {
    match published(&service, pubsub, topic, request).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(error),
    }
}

async fn published(service: &Service, pubsub: String, topic: String, request: Request) -> Result<(), Error> {
    let parts = parts(service, &pubsub, &topic, request).await?;
    let Parts { data, content_type, metadata, span, .. } = parts;
    let trace = span.as_ref().map(Trace::from).unwrap_or_default();
    let request = PublishRequest { pubsub, topic, data, content_type, metadata, trace, api: Api::Http };
    service.publish(request).await
}

async fn bulk_publish(State(service): State<Arc<Service>>, Path((pubsub, topic)): Names, request: Request) -> Response {
    match bulk_published(&service, pubsub, topic, request).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(BulkFailure { error: error @ Error::Publish { .. }, failed }) => partly(&error, &failed),
        Err(BulkFailure { error, .. }) => refused(error),
    }
}

async fn bulk_published(service: &Service, pubsub: String, topic: String, request: Request) -> Result<(), BulkFailure> {
    let Parts { data, metadata, path, span, .. } = parts(service, &pubsub, &topic, request).await?;
    let span = span.map(|span| (span, path));
    service.raw(&pubsub, &metadata)?;
    let entries = match read(&data) {
        Ok(entries) => entries,
        Err(invalid) => return Err(unreadable(service.app_id(), pubsub, topic, invalid).into()),
    };
    service.bulk_publish(BulkPublishRequest { pubsub, topic, entries, metadata, span, api: Api::Http }).await
}

/// What a request says beside its path.
struct Parts {
    data: Bytes,
    content_type: String,
    metadata: Metadata,
    path: String,
    span: Option<Span>,
}

/// The path is looked at first, then the body.
async fn parts(service: &Service, pubsub: &str, topic: &str, request: Request) -> Result<Parts, Error> {
    let (mut head, body) = request.into_parts();
    let metadata = query_metadata(&head.uri);
    service.find(pubsub, topic, &metadata)?;
    let broken = |reason: String| Error::Publish { pubsub: pubsub.to_owned(), topic: topic.to_owned(), reason };
    let data = read_body(body).await.map_err(|error| broken(error.to_string()))?;
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let content_type = content_type.to_owned();
    let path = head.uri.path().to_owned();
    Ok(Parts { data, content_type, metadata, path, span: head.extensions.remove() })
}

fn unreadable(app_id: &str, pubsub: String, topic: String, invalid: Invalid) -> Error {
    let app_id = app_id.to_owned();
    match invalid {
        Invalid::Body(reason) => Error::Unreadable { pubsub, topic, app_id, reason },
        Invalid::Event(reason) => Error::Envelope { pubsub, topic, app_id, reason },
    }
}

fn refused(error: Error) -> Response {
    Fault::from(error).into_response()
}

/// Tells which entries were not published; the answer carries the code as an extension, as that of a fault.
fn partly(error: &Error, failed: &[(String, String)]) -> Response {
    let failed: Vec<_> = failed.iter().map(|(id, reason)| json!({"entryId": id, "error": reason})).collect();
    let body = json!({"failedEntries": failed, "errorCode": error.row().tag}).to_string();
    let mut response = (error.row().http, body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.extensions_mut().insert(error.row());
    response
}
