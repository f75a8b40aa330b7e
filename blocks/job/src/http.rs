//! Jobs over HTTP.
use crate::error::{Error, Reason};
use crate::model::{Posted, shown};
use crate::service::Service;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use foundation_endpoint::{Endpoints, proto_json, read_body};
use foundation_fault::Fault;
use http::StatusCode;
use std::sync::Arc;

/// The endpoints of the block.
pub fn endpoints(service: Arc<Service>) -> Endpoints {
    let handlers: MethodRouter = post(schedule).get(get).delete(delete).with_state(service);
    let add = |endpoints: Endpoints, version| endpoints.add(version, "jobs", "jobs/{name}", handlers.clone());
    ["v1.0-alpha1", "v1.0"].into_iter().fold(Endpoints::new(), add)
}

type Shared = State<Arc<Service>>;
type Answer = Result<Response, Error>;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Fault::from(self).into_response()
    }
}

async fn schedule(State(service): Shared, Path(name): Path<String>, body: Body) -> Answer {
    let body = read_body(body).await.map_err(|error| service.error(Reason::Body(error.to_string())))?;
    let posted: Posted =
        proto_json::message(&body).map_err(|error| service.error(Reason::Malformed(error.to_string())))?;
    if !posted.name.is_empty() {
        return Err(service.error(Reason::NameInBody));
    }
    let overwrite = posted.overwrite.unwrap_or_default();
    service.schedule(Some(posted.job(name.trim())), overwrite).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn get(State(service): Shared, Path(name): Path<String>) -> Answer {
    Ok(Json(shown(service.get(&name).await?)).into_response())
}

async fn delete(State(service): Shared, Path(name): Path<String>) -> Answer {
    service.delete(&name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
