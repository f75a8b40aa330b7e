//! `InvokeService` of the gRPC API, which is deprecated, yet what the SDKs call.
use crate::error::Error;
use crate::headers::answer_to_grpc;
use crate::service::Service;
use crate::status;
use bytes::Bytes;
use foundation_grpc::Deadline;
use foundation_peer::headers::AUTHORITY;
use foundation_peer::{Answer, Head, Origin, Outcome, Payload};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use prost_types::Any;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status};
use wire::common::v1::http_extension::Verb;
use wire::common::v1::{InvokeRequest, InvokeResponse};
use wire::runtime::v1::InvokeServiceRequest;

/// Metadata of the caller's own call, which Go's library keeps to itself.
const OF_TRANSPORT: [&str; 3] = ["grpc-timeout", "grpc-encoding", "te"];

/// Keeps what the caller called this sidecar, which is no metadata here and is in Go.
pub fn note_authority<B>(request: &mut http::Request<B>) {
    let authority = request.uri().authority().and_then(|name| HeaderValue::from_str(name.as_str()).ok());
    if let Some(authority) = authority {
        request.headers_mut().insert(AUTHORITY, authority);
    }
}

/// Calls an app with one message.
///
/// # Errors
/// The status of the app, or why it could not be called.
pub async fn invoke_service(
    service: &Service,
    request: Request<InvokeServiceRequest>,
) -> Result<Response<InvokeResponse>, Status> {
    let (metadata, extensions, request) = request.into_parts();
    let deadline = extensions.get().copied();
    match call(service, &request.id, (metadata.into_headers(), deadline), request.message).await {
        Ok(answer) => respond(service, answer).await,
        Err(error) => Err(error.into_status(&request.id)),
    }
}

async fn call(
    service: &Service,
    id: &str,
    (mut headers, deadline): (HeaderMap, Option<Deadline>),
    message: Option<InvokeRequest>,
) -> Result<Answer, Error> {
    if message.is_none() && !service.is_own(id)? {
        return Err(Error::NoMessage);
    }
    let message = message.unwrap_or_default();
    OF_TRANSPORT.iter().for_each(|name| drop(headers.remove(*name)));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let data = message.data.unwrap_or_default();
    let extension = message.http_extension.unwrap_or_default();
    let head = Head {
        origin: Origin::Grpc,
        verb: verb(extension.verb()),
        method: message.method,
        query: extension.querystring,
        headers,
        content_type: HeaderValue::from_str(&message.content_type).ok().filter(|value| !value.is_empty()),
        type_url: data.type_url,
        deadline,
    };
    service.invoke(id, head, Payload::Whole(Bytes::from(data.value))).await
}

fn verb(verb: Verb) -> Option<Method> {
    match verb {
        Verb::None => None,
        verb => Method::from_bytes(verb.as_str_name().as_bytes()).ok(),
    }
}

/// Headers and trailers of the app go out together: one message has no trailers of its own.
async fn respond(service: &Service, answer: Answer) -> Result<Response<InvokeResponse>, Status> {
    let body = Limited::new(answer.body, service.max_message_size()).collect().await;
    let data = body.map_err(unread)?.to_bytes();
    let (metadata, error) = match &answer.outcome {
        Outcome::Http(http) => {
            let mut metadata = answer_to_grpc(&answer.headers, Origin::Http);
            metadata.insert("dapr-http-status", HeaderValue::from(http.as_u16()));
            (metadata, status::grpc_error(*http, &data))
        }
        Outcome::Grpc { status, trailers } => {
            let mut metadata = answer_to_grpc(&answer.headers, Origin::Grpc);
            metadata.extend(answer_to_grpc(trailers, Origin::Grpc));
            (metadata, Some(status.clone()).filter(|status| status.code() != Code::Ok))
        }
    };
    let metadata = MetadataMap::from_headers(metadata);
    if let Some(mut error) = error {
        *error.metadata_mut() = metadata;
        return Err(error);
    }
    let content_type = answer.content_type.and_then(|value| value.to_str().map(str::to_owned).ok()).unwrap_or_default();
    let data = Some(Any { type_url: answer.type_url, value: data.to_vec() });
    let mut response = Response::new(InvokeResponse { data, content_type });
    *response.metadata_mut() = metadata;
    Ok(response)
}

/// The status inside the error of a body, if it has one; else the body is too large, or has broken off.
fn unread(error: Box<dyn std::error::Error + Send + Sync>) -> Status {
    let causes = std::iter::successors(Some(&*error as &(dyn std::error::Error + 'static)), |error| error.source());
    let status = causes.filter_map(|cause| cause.downcast_ref::<Status>()).next().cloned();
    status.unwrap_or_else(|| match error.downcast_ref::<LengthLimitError>() {
        Some(_) => Status::resource_exhausted(error.to_string()),
        None => Status::unavailable(format!("the app broke off its answer: {error}")),
    })
}
