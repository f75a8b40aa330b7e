//! Actors over HTTP.
use crate::app::metadata;
use crate::body;
use crate::error::Error;
use crate::listing::list;
use crate::model::{ActorKey, Answer, Call, Metadata};
use crate::service::Service;
use crate::trace;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, delete, get, on};
use component_api::state::Item;
use foundation_app::{answer_to_http, http_of};
use foundation_endpoint::{Endpoints, read_body};
use foundation_fault::Fault;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use std::sync::Arc;
use tonic::Code;
use wire::common::v1::HttpExtension;
use wire::common::v1::http_extension::Verb;

const WRITE: MethodFilter = MethodFilter::POST.or(MethodFilter::PUT);
const ANY: MethodFilter = WRITE.or(MethodFilter::GET).or(MethodFilter::DELETE);
const NO_CONTENT: StatusCode = StatusCode::NO_CONTENT;

/// The endpoints of the block.
pub fn endpoints(service: Arc<Service>) -> Endpoints {
    let with = |handlers: MethodRouter<Arc<Service>>| handlers.with_state(Arc::clone(&service));
    Endpoints::new()
        .add("v1.0-alpha1", "actors", "actors/{type}", with(get(list)))
        .add("v1.0", "actors", "actors/{type}/{id}/method/{method}", with(on(ANY, invoke)))
        .add("v1.0", "actors", "actors/{type}/{id}/state", with(on(WRITE, transact)))
        .add("v1.0", "actors", "actors/{type}/{id}/state/{key}", with(get(get_state)))
        .add(
            "v1.0",
            "actors",
            "actors/{type}/{id}/reminders/{name}",
            with(on(WRITE, create_reminder).get(get_reminder).delete(delete_reminder)),
        )
        .add(
            "v1.0",
            "actors",
            "actors/{type}/{id}/timers/{name}",
            with(on(WRITE, create_timer).merge(delete(delete_timer))),
        )
}

type Shared = State<Arc<Service>>;
type Named = Path<(String, String, String)>;
type Outcome = Result<Response, Error>;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Fault::from(self).into_response()
    }
}

async fn invoke(State(service): Shared, Path((actor_type, id, method)): Named, request: Request) -> Outcome {
    let (head, body) = request.into_parts();
    let trace = trace::of(&head.headers);
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let querystring = head.uri.query().unwrap_or_default().to_owned();
    let call = Call {
        actor: ActorKey::new(actor_type, id),
        method,
        http: Some(HttpExtension { verb: verb(&head.method).into(), querystring }),
        content_type: content_type.unwrap_or_default().to_owned(),
        metadata: metadata(&head.headers),
        data: read_body(body).await.map_err(|error| Error::Body(error.to_string()))?,
    };
    Ok(written(service.invoke(call, &trace).await?))
}

async fn transact(State(service): Shared, Path((actor_type, id)): Path<(String, String)>, body: Body) -> Outcome {
    let body = read_body(body).await.map_err(|error| Error::Malformed(error.to_string()))?;
    let operations = body::operations(&body).map_err(Error::Malformed)?;
    service.transact(&ActorKey::new(actor_type, id), operations).await?;
    Ok(NO_CONTENT.into_response())
}

async fn get_state(State(service): Shared, Path((actor_type, id, key)): Named) -> Outcome {
    let found = service.get_state(&ActorKey::new(actor_type, id), &key).await?;
    let found = found.filter(|item| !item.data.is_empty());
    Ok(found.map_or_else(|| NO_CONTENT.into_response(), item))
}

async fn create_timer(State(service): Shared, Path((actor_type, id, name)): Named, body: Body) -> Outcome {
    let body = read_body(body).await.map_err(|error| Error::Malformed(error.to_string()))?;
    let timer = body::timer(&body, ActorKey::new(actor_type, id), name);
    let (tick, ttl) = timer.map_err(Error::Malformed)?;
    service.create_timer(tick, &ttl)?;
    Ok(NO_CONTENT.into_response())
}

async fn delete_timer(State(service): Shared, Path((actor_type, id, name)): Named) -> Outcome {
    service.delete_timer(ActorKey::new(actor_type, id), name)?;
    Ok(NO_CONTENT.into_response())
}

async fn create_reminder(State(service): Shared, Path((actor_type, id, name)): Named, body: Body) -> Outcome {
    let body = read_body(body).await.map_err(|error| Error::Malformed(error.to_string()))?;
    let reminder = body::reminder(&body, ActorKey::new(actor_type, id), name).map_err(Error::Malformed)?;
    service.create_reminder(reminder).await?;
    Ok(NO_CONTENT.into_response())
}

async fn get_reminder(State(service): Shared, Path((actor_type, id, name)): Named) -> Outcome {
    let kept = service.reminder(ActorKey::new(actor_type, id), name).await?;
    Ok(Json(body::kept(kept)).into_response())
}

async fn delete_reminder(State(service): Shared, Path((actor_type, id, name)): Named) -> Outcome {
    service.delete_reminder(&ActorKey::new(actor_type, id), name).await?;
    Ok(NO_CONTENT.into_response())
}

fn verb(method: &Method) -> Verb {
    match *method {
        Method::GET => Verb::Get,
        Method::PUT => Verb::Put,
        Method::DELETE => Verb::Delete,
        _ => Verb::Post,
    }
}

fn written(answer: Answer) -> Response {
    let Answer { status, metadata, content_type, data } = answer;
    let mut response = Response::new(Body::from(data));
    *response.status_mut() = status_of(status);
    *response.headers_mut() = headers(&metadata);
    answer_to_http(response.headers_mut());
    if let Some(value) = HeaderValue::try_from(content_type).ok().filter(|value| !value.is_empty()) {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response
}

/// Numbers below 100 are gRPC's.
fn status_of(number: i32) -> StatusCode {
    let http = u16::try_from(number).ok().and_then(|number| StatusCode::from_u16(number).ok());
    http.unwrap_or_else(|| http_of(Code::from_i32(number)))
}

fn headers(metadata: &Metadata) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in &metadata.0 {
        let Ok(name) = HeaderName::try_from(name) else { continue };
        let values = values.iter().filter_map(|value| HeaderValue::try_from(value).ok());
        values.filter(|_| name != CONTENT_TYPE).for_each(|value| {
            headers.append(&name, value);
        });
    }
    headers
}

fn item(item: Item) -> Response {
    let mut response = Response::new(Body::from(item.data));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in item.metadata {
        let name = HeaderName::try_from(format!("metadata.{name}"));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    response
}
