//! Which actors are active here, page by page. Dapr has no such thing.
use crate::error::Error;
use crate::service::Service;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use std::sync::Arc;
use std::time::Duration;

/// Actors on a page when nobody says how many.
const PAGE: usize = 100;
const LONGEST_PAGE: usize = 1_000;

/// An active actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Active {
    pub id: String,
    /// When it had its last turn.
    #[serde(serialize_with = "as_text")]
    pub last_used: Timestamp,
}

/// Some active actors of one type, in the order of their ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    pub actor_type: String,
    /// Where they are active: the name of this sidecar on the rings.
    pub host: String,
    pub app_id: String,
    /// All sidecars that host the type, this one included, by the newest tables.
    pub hosts: Vec<String>,
    pub actors: Vec<Active>,
    /// What the next page comes after; none is the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which page.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    after: String,
    limit: Option<usize>,
}

/// Lists active actors of a type.
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    Path(actor_type): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Error> {
    let limit = wanted.limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE);
    Ok(Json(service.active(&actor_type, &wanted.after, limit)?).into_response())
}

/// A moment that was so long ago.
pub(crate) fn ago(now: Timestamp, milliseconds: u64) -> Timestamp {
    now.checked_sub(Duration::from_millis(milliseconds)).unwrap_or(now)
}

/// As RFC 3339 has it.
fn as_text<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}
