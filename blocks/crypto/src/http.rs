//! Documents over HTTP: the body is encrypted or decrypted, headers say how.
use crate::error::Error;
use crate::model::{DecryptOptions, EncryptOptions};
use crate::service::{Input, Output, Service};
use crate::subtle;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use foundation_endpoint::Endpoints;
use foundation_fault::Fault;
use foundation_metadata::is_truthy;
use futures_util::{StreamExt, TryStreamExt};
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use std::sync::Arc;

/// The endpoints of the block.
pub fn endpoints(service: Arc<Service>) -> Endpoints {
    let with = |handlers: axum::routing::MethodRouter<Arc<Service>>| handlers.with_state(Arc::clone(&service));
    let documents = Endpoints::new().add("v1.0-alpha1", "crypto", "crypto/{name}/encrypt", with(put(encrypt))).add(
        "v1.0-alpha1",
        "crypto",
        "crypto/{name}/decrypt",
        with(put(decrypt)),
    );
    subtle::add_to(documents, &service)
}

type Shared = State<Arc<Service>>;
type Answer = Result<Response, Error>;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Fault::from(self).into_response()
    }
}

async fn encrypt(State(service): Shared, Path(name): Path<String>, request: Request) -> Answer {
    let provider = service.provider(&name)?;
    let (head, body) = request.into_parts();
    let options = EncryptOptions {
        key: required(&head.headers, "dapr-key-name")?,
        algorithm: required(&head.headers, "dapr-key-wrap-algorithm")?,
        cipher: header(&head.headers, "dapr-data-encryption-cipher"),
        omit_decryption_key: is_truthy(&header(&head.headers, "dapr-omit-decryption-key-name")),
        decryption_key: header(&head.headers, "dapr-decryption-key-name"),
    };
    whole(service.encrypt(&provider, options, input(body)).await?).await
}

async fn decrypt(State(service): Shared, Path(name): Path<String>, request: Request) -> Answer {
    let provider = service.provider(&name)?;
    let (head, body) = request.into_parts();
    let options = DecryptOptions { key: header(&head.headers, "dapr-key-name") };
    whole(service.decrypt(&provider, options, input(body)).await?).await
}

/// The header's value, empty where there is none.
fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}

fn required(headers: &HeaderMap, name: &str) -> Result<String, Error> {
    Some(header(headers, name))
        .filter(|value| !value.is_empty())
        .ok_or_else(|| Error::Invalid(format!("missing header '{name}'")))
}

fn input(body: Body) -> Input {
    body.into_data_stream().map_err(|error| error.to_string()).boxed()
}

/// The whole document at once: what goes wrong in its middle can be told as an error then.
async fn whole(output: Output) -> Answer {
    let pieces: Vec<_> = output.try_collect().await?;
    let mut response = pieces.concat().into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    Ok(response)
}
