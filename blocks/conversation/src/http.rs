//! Conversations over HTTP.
mod written;

use crate::error::Error;
use crate::model::{Converse, ConverseTexts};
use crate::service::Service;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use bytes::Bytes;
use foundation_endpoint::{Endpoints, proto_json, read_body};
use foundation_fault::Fault;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use written::{Answered, Parameters, Texts};

const PATH: &str = "conversation/{name}/converse";

/// The endpoints of the block.
pub fn endpoints(service: Arc<Service>) -> Endpoints {
    let with = |handlers: MethodRouter<Arc<Service>>| handlers.with_state(Arc::clone(&service));
    Endpoints::new().add("v1.0-alpha1", "conversation", PATH, with(post(converse_alpha1))).add(
        "v1.0-alpha2",
        "conversation",
        PATH,
        with(post(converse_alpha2)),
    )
}

type Shared = State<Arc<Service>>;
type Answer = Result<Response, Error>;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Fault::from(self).into_response()
    }
}

async fn converse_alpha1(State(service): Shared, Path(name): Path<String>, body: Body) -> Answer {
    let body = received(body).await?;
    let Parameters { parameters } = message(&body)?;
    let request = ConverseTexts { name, ..message(&body)? };
    let answers = service.converse_texts(request).await?;
    Ok(Json(Texts::of(answers, &parameters)).into_response())
}

async fn converse_alpha2(State(service): Shared, Path(name): Path<String>, body: Body) -> Answer {
    let request = Converse { name, ..message(&received(body).await?)? };
    let answer = service.converse(request).await?;
    Ok(Json(Answered::from(&answer)).into_response())
}

async fn received(body: Body) -> Result<Bytes, Error> {
    read_body(body).await.map_err(|error| Error::Body(error.to_string()))
}

fn message<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Error> {
    proto_json::message(body).map_err(|error| Error::Malformed(error.to_string()))
}
