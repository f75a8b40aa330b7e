//! Locks over HTTP.
use crate::error::Error;
use crate::grpc::status;
use crate::model::{TryLock, Unlock};
use crate::service::Service;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use foundation_endpoint::{Endpoints, proto_json, read_body};
use foundation_fault::Fault;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::sync::Arc;

/// The endpoints of the block.
pub fn endpoints(service: Arc<Service>) -> Endpoints {
    let with = |handlers: MethodRouter<Arc<Service>>| handlers.with_state(Arc::clone(&service));
    Endpoints::new().add("v1.0-alpha1", "lock", "lock/{store}", with(post(try_lock))).add(
        "v1.0-alpha1",
        "unlock",
        "unlock/{store}",
        with(post(unlock)),
    )
}

type Shared = State<Arc<Service>>;
type Answer = Result<Response, Error>;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Fault::from(self).into_response()
    }
}

async fn try_lock(State(service): Shared, Path(store_name): Path<String>, body: Body) -> Answer {
    let request = TryLock { store_name, ..message(body).await? };
    let success = service.try_lock(&request).await?;
    Ok(Json(json!({"success": success})).into_response())
}

async fn unlock(State(service): Shared, Path(store_name): Path<String>, body: Body) -> Answer {
    let request = Unlock { store_name, ..message(body).await? };
    let status = status(service.unlock(&request).await?);
    Ok(Json(json!({"status": i32::from(status)})).into_response())
}

async fn message<T: DeserializeOwned + Default>(body: Body) -> Result<T, Error> {
    let body = read_body(body).await.map_err(|error| Error::Body(error.to_string()))?;
    proto_json::message(&body).map_err(|error| Error::Malformed(error.to_string()))
}
