//! Configuration over HTTP.
use crate::error::Error;
use crate::model::{Query, written};
use crate::service::Service;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use component_api::configuration::Items;
use foundation_endpoint::{Endpoints, query_metadata, query_values};
use foundation_fault::Fault;
use http::{StatusCode, Uri};
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;

const VERSIONS: [&str; 2] = ["v1.0-alpha1", "v1.0"];

/// The endpoints of the block.
pub fn endpoints(service: Arc<Service>) -> Endpoints {
    let with = |handlers: MethodRouter<Arc<Service>>| handlers.with_state(Arc::clone(&service));
    VERSIONS.iter().fold(Endpoints::new(), |endpoints, version| {
        endpoints
            .add(version, "configuration", "configuration/{store}", with(get(get_configuration)))
            .add(version, "configuration", "configuration/{store}/subscribe", with(get(subscribe)))
            .add(version, "configuration", "configuration/{store}/{id}/unsubscribe", with(get(unsubscribe)))
    })
}

type Shared = State<Arc<Service>>;
type Answer = Result<Response, Error>;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Fault::from(self).into_response()
    }
}

async fn get_configuration(State(service): Shared, Path(store): Path<String>, uri: Uri) -> Answer {
    let store = service.store(&store)?;
    let items = service.get(&store, query(&uri)).await?;
    if items.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(Json(Listed(items)).into_response())
}

async fn subscribe(State(service): Shared, Path(store): Path<String>, uri: Uri) -> Answer {
    let store = service.store(&store)?;
    let id = service.subscribe_app(&store, query(&uri)).await?;
    Ok(Json(json!({"id": id})).into_response())
}

/// What is wrong with the id is told in a form of its own.
async fn unsubscribe(State(service): Shared, Path((store, id)): Path<(String, String)>) -> Answer {
    let store = service.store(&store)?;
    match service.unsubscribe(Some(&store.name), &id) {
        Ok(()) => Ok(Json(json!({"ok": true})).into_response()),
        Err(error) => {
            let mut response = (error.row().http, Json(json!({"message": error.to_string()}))).into_response();
            response.extensions_mut().insert(error.row());
            Ok(response)
        }
    }
}

fn query(uri: &Uri) -> Query {
    Query { keys: query_values(uri, "key"), metadata: query_metadata(uri) }
}

/// Items by key.
#[derive(Serialize)]
struct Listed(#[serde(serialize_with = "written")] Items);
