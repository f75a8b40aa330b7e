//! Secrets over HTTP.
use crate::error::Error;
use crate::service::Service;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use foundation_endpoint::{Endpoints, query_metadata};
use foundation_fault::Fault;
use http::Uri;
use std::sync::Arc;

/// The endpoints of the block.
pub fn endpoints(service: Arc<Service>) -> Endpoints {
    Endpoints::new()
        .add("v1.0", "secrets", "secrets/{store}/bulk", get(get_bulk_secret).with_state(Arc::clone(&service)))
        .add("v1.0", "secrets", "secrets/{store}/{key}", get(get_secret).with_state(service))
}

type Shared = State<Arc<Service>>;
type Answer = Result<Response, Error>;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Fault::from(self).into_response()
    }
}

async fn get_secret(State(service): Shared, Path((store, key)): Path<(String, String)>, uri: Uri) -> Answer {
    let secret = service.get(&store, &key, &query_metadata(&uri)).await?;
    Ok(Json(secret).into_response())
}

async fn get_bulk_secret(State(service): Shared, Path(store): Path<String>, uri: Uri) -> Answer {
    let secrets = service.bulk_get(&store, &query_metadata(&uri)).await?;
    Ok(Json(secrets).into_response())
}
