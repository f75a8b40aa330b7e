//! OTLP over HTTP, on the paths that SDKs add to `OTEL_EXPORTER_OTLP_ENDPOINT`.
use crate::encoding::{Encoding, MOST, decompressed};
use crate::error::Error;
use crate::service::Service;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::routing::{MethodRouter, post};
use foundation_endpoint::{BodyError, Endpoints, bounded, read_body};
use http::{HeaderMap, Method, Response};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

const PATHS: [&str; 3] = ["/v1/traces", "/v1/metrics", "/v1/logs"];

type Shared = State<Arc<Service>>;

/// The endpoints of the block.
pub fn endpoints(service: Arc<Service>) -> Endpoints {
    let with = |handlers: MethodRouter<Arc<Service>>| handlers.with_state(Arc::clone(&service));
    Endpoints::new()
        .add("v1", "otlp", "traces", with(post(traces)))
        .add("v1", "otlp", "metrics", with(post(metrics)))
        .add("v1", "otlp", "logs", with(post(logs)))
}

/// Whether a request has the form of an export. One that names an app is a call of it all the same.
pub fn is_export(method: &Method, path: &str) -> bool {
    *method == Method::POST && PATHS.contains(&path)
}

async fn traces(State(service): Shared, request: Request) -> Response<Body> {
    answer(request, |message| service.traces(message)).await
}

async fn metrics(State(service): Shared, request: Request) -> Response<Body> {
    answer(request, |message| service.metrics(message)).await
}

async fn logs(State(service): Shared, request: Request) -> Response<Body> {
    answer(request, |message| service.logs(message)).await
}

async fn answer<M, A>(request: Request, take: impl FnOnce(M) -> Result<A, Error>) -> Response<Body>
where
    M: Message + Default + DeserializeOwned,
    A: Message + Serialize,
{
    let (head, body) = request.into_parts();
    let encoding = match Encoding::of(&head.headers) {
        Ok(encoding) => encoding,
        Err(error) => return Encoding::Json.refuse(&error),
    };
    match read(encoding, &head.headers, body).await.and_then(take) {
        Ok(answer) => encoding.write(&answer),
        Err(error) => encoding.refuse(&error),
    }
}

async fn read<M: Message + Default + DeserializeOwned>(
    encoding: Encoding,
    headers: &HeaderMap,
    body: Body,
) -> Result<M, Error> {
    let body = read_body(bounded(body, MOST)).await.map_err(|error| match error {
        BodyError::TooLarge => Error::TooLarge,
        BodyError::Broken(why) => Error::Malformed(why),
    })?;
    encoding.read(&decompressed(headers, body)?)
}
