//! The tables as JSON, for people (protocols.md 1.5): the fields' names in snake case, empty ones left out.
use crate::service::Service;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use wire::placement::v1::{Host, StatePlacementTable};

/// The route of the tables.
pub(crate) fn routes(service: Service) -> Router {
    Router::new().route("/placement/state", get(show).with_state(service))
}

async fn show(State(service): State<Service>) -> Response {
    match service.state().await {
        Ok(state) => {
            let tables: Map<String, Value> = state.tables.iter().map(|(name, of)| (name.clone(), table(of))).collect();
            Json(filled(vec![("tables", Value::Object(tables))])).into_response()
        }
        Err(status) => (StatusCode::SERVICE_UNAVAILABLE, status.message().to_owned()).into_response(),
    }
}

fn table(table: &StatePlacementTable) -> Value {
    filled(vec![("hosts", table.hosts.iter().map(host).collect()), ("version", json!(table.version))])
}

fn host(host: &Host) -> Value {
    filled(vec![
        ("name", json!(host.name)),
        ("port", json!(host.port)),
        ("entities", json!(host.entities)),
        ("id", json!(host.id)),
        ("pod", json!(host.pod)),
        ("api_level", json!(host.api_level)),
        ("namespace", json!(host.namespace)),
        ("operation", json!(host.operation)),
    ])
}

fn filled(fields: Vec<(&str, Value)>) -> Value {
    let empty = |value: &Value| *value == json!("") || *value == json!(0) || *value == json!([]) || *value == json!({});
    fields.into_iter().filter(|(_, value)| !empty(value)).map(|(name, value)| (name.to_owned(), value)).collect()
}
