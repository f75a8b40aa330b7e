//! Which actors are active here, page by page. Dapr has no such thing.
use crate::error::Error;
use crate::service::Service;
use crate::sizes::StateSize;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, RawQuery, State};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
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
    /// The size of its state, as [`Page::measured`] says.
    pub state: StateSize,
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
    /// Whether the store has been asked for the sizes of states. Else they are those of the keys that this sidecar has read or
    /// written since the actor became active.
    pub measured: bool,
    /// What the next page comes after; none is the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which page.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    after: String,
    /// A number.
    limit: Option<String>,
    /// `true` asks the store for sizes.
    measure: Option<String>,
}

impl Wanted {
    fn limit(&self) -> Result<usize, Error> {
        let Some(limit) = &self.limit else { return Ok(PAGE) };
        let wrong = |_| Error::Listing(format!("limit={limit}: it must be a number from 1 to {LONGEST_PAGE}"));
        Ok(limit.parse::<usize>().map_err(wrong)?.clamp(1, LONGEST_PAGE))
    }

    fn measures(&self) -> Result<bool, Error> {
        let Some(measure) = &self.measure else { return Ok(false) };
        measure.parse().map_err(|_| Error::Listing(format!("measure={measure}: it must be true or false")))
    }
}

/// Lists active actors of a type.
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    Path(actor_type): Path<String>,
    RawQuery(query): RawQuery,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Error> {
    let Query(wanted) = wanted.map_err(|wrong| Error::Listing(wrong.body_text()))?;
    check_letters(&query.unwrap_or_default())?;
    let (limit, measures) = (wanted.limit()?, wanted.measures()?);
    let page = service.active(&actor_type, &wanted.after, limit)?;
    Ok(Json(if measures { service.measure(page).await? } else { page }).into_response())
}

/// What is no text would be read as another id.
fn check_letters(query: &str) -> Result<(), Error> {
    let is_text = percent_decode_str(query).decode_utf8().is_ok();
    if is_text { Ok(()) } else { Err(Error::Listing(format!("{query}: it must be UTF-8"))) }
}

/// A moment that was so long ago.
pub(crate) fn ago(now: Timestamp, time: Duration) -> Timestamp {
    now.checked_sub(time).unwrap_or(now)
}

/// As RFC 3339 has it.
fn as_text<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}
