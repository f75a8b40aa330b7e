//! Output bindings over HTTP.
use crate::error::Error;
use crate::model::Outcome;
use crate::service::Service;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use bytes::Bytes;
use component_api::Metadata;
use component_api::binding::Request as Operation;
use foundation_endpoint::{Endpoints, read_body};
use foundation_fault::Fault;
use foundation_json::{self as json, Members};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::sync::Arc;

const TRACE: [&str; 3] = ["traceparent", "tracestate", "baggage"];
const METHODS: MethodFilter = MethodFilter::POST.or(MethodFilter::PUT);

/// The endpoints of the block.
pub fn endpoints(service: Arc<Service>) -> Endpoints {
    Endpoints::new().add("v1.0", "bindings", "bindings/{name}", on(METHODS, invoke).with_state(service))
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Fault::from(self).into_response()
    }
}

async fn invoke(
    State(service): State<Arc<Service>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Error> {
    let (head, body) = request.into_parts();
    let body = read_body(body).await.map_err(|error| Error::Malformed(error.to_string()))?;
    let mut operation = operation(&body).map_err(Error::Malformed)?;
    if !service.tracer().is_off() {
        hand_on_trace(&head.headers, &mut operation.metadata);
    }
    let Outcome { metadata, result } = service.invoke(&name, operation).await;
    let mut response = result.map_or_else(IntoResponse::into_response, answer);
    add_metadata(response.headers_mut(), metadata);
    Ok(response)
}

/// The trace is that of the call, whatever the operation says.
fn hand_on_trace(headers: &HeaderMap, metadata: &mut Metadata) {
    for name in TRACE {
        let values: Vec<_> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        if !values.is_empty() {
            metadata.insert(name.to_owned(), values.join(","));
        }
    }
}

/// The data goes out as JSON text.
fn operation(body: &[u8]) -> Result<Operation, String> {
    let mut members = Members::of(json::read(body)?)?;
    Ok(Operation {
        operation: members.text("operation")?,
        data: json::write(&members.take("data").unwrap_or_default()),
        metadata: members.texts("metadata")?,
    })
}

fn answer(data: Option<Bytes>) -> Response {
    let Some(data) = data else { return StatusCode::NO_CONTENT.into_response() };
    let mut response = data.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn add_metadata(headers: &mut HeaderMap, metadata: Metadata) {
    for (name, value) in metadata {
        let name = HeaderName::try_from(format!("metadata.{name}"));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
}
