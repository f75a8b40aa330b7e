//! What the API answers for building blocks that are not there: workflows and jobs.
//!
//! Each becomes a crate of its own in time and then leaves here. Contract: surface.md 0.26 and 1.2.
mod checks;
mod codes;
pub mod grpc;
mod jobs;
mod table;

use crate::absent::checks::{Captured, Refusal};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::on;
use foundation_endpoint::{Endpoints, read_body};
use foundation_fault::Fault;
use std::sync::Arc;
use table::{ROWS, Row};

/// The app, as errors name it.
#[derive(Clone, Debug)]
pub struct Owner {
    pub app_id: String,
    pub namespace: String,
}

/// The endpoints of all blocks that are not there.
pub fn endpoints(owner: &Arc<Owner>) -> Endpoints {
    ROWS.iter().fold(Endpoints::new(), |endpoints, row| {
        row.versions.iter().fold(endpoints, |endpoints, version| add(endpoints, version, row, Arc::clone(owner)))
    })
}

fn add(endpoints: Endpoints, version: &'static str, row: &'static Row, owner: Arc<Owner>) -> Endpoints {
    let handler = async move |body: Body| -> Response { refuse(row, &owner, body).await.into_response() };
    endpoints.add(version, row.group, row.path, on(row.methods, handler))
}

async fn refuse(row: &Row, owner: &Owner, body: Body) -> Fault {
    let body = match row.refusal {
        Refusal::At(refuse) => return refuse(owner, &Captured { body: serde_json::Value::Null }),
        Refusal::AfterBody { read, .. } => read_body(body).await.map_err(|error| (read.unread)(&error)),
    };
    let Refusal::AfterBody { read, refuse } = row.refusal else { return codes::unimplemented() };
    match body.and_then(|body| (read.decode)(&body)) {
        Ok(body) => refuse(owner, &Captured { body }),
        Err(fault) => fault,
    }
}
