//! The two encodings of OTLP over HTTP, and compression.
use crate::error::Error;
use axum::body::Body;
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::io::Read;
use wire::google::rpc::Status;

/// Bytes of an export, before and after it is decompressed.
pub(crate) const MOST: usize = 8 << 20;

/// How a request is encoded, and therefore its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    /// The encoding that the header names.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Error> {
        let named = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match named.split(';').next().unwrap_or_default().trim() {
            "application/x-protobuf" | "application/protobuf" => Ok(Self::Protobuf),
            "application/json" => Ok(Self::Json),
            _ => Err(Error::ContentType),
        }
    }

    /// Reads a message.
    pub(crate) fn read<M: Message + Default + DeserializeOwned>(self, body: &[u8]) -> Result<M, Error> {
        match self {
            Self::Protobuf => M::decode(body).map_err(|error| Error::Malformed(error.to_string())),
            Self::Json => serde_json::from_slice(body).map_err(|error| Error::Malformed(error.to_string())),
        }
    }

    /// The answer with a message.
    pub(crate) fn write<M: Message + Serialize>(self, message: &M) -> Response<Body> {
        let body = match self {
            Self::Protobuf => message.encode_to_vec(),
            // A message without content is an object without members.
            Self::Json if message.encoded_len() == 0 => b"{}".to_vec(),
            Self::Json => serde_json::to_vec(message).unwrap_or_default(),
        };
        self.answer(StatusCode::OK, body)
    }

    /// The answer with an error.
    pub(crate) fn refuse(self, error: &Error) -> Response<Body> {
        let (code, message) = (error.grpc() as i32, error.to_string());
        let body = match self {
            Self::Protobuf => Status { code, message, ..Status::default() }.encode_to_vec(),
            Self::Json => json!({"code": code, "message": message}).to_string().into_bytes(),
        };
        self.answer(error.http(), body)
    }

    fn answer(self, status: StatusCode, body: Vec<u8>) -> Response<Body> {
        let name = match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(name));
        response
    }
}

/// The body as it was before it was compressed.
pub(crate) fn decompressed(headers: &HeaderMap, body: Bytes) -> Result<Bytes, Error> {
    let named = headers.get(CONTENT_ENCODING).map_or(&b""[..], HeaderValue::as_bytes);
    match named {
        b"" | b"identity" => Ok(body),
        b"gzip" => gunzipped(&body),
        _ => Err(Error::ContentEncoding),
    }
}

fn gunzipped(body: &[u8]) -> Result<Bytes, Error> {
    let mut plain = Vec::new();
    let mut limited = GzDecoder::new(body).take(MOST as u64 + 1);
    limited.read_to_end(&mut plain).map_err(|error| Error::Malformed(error.to_string()))?;
    if plain.len() > MOST { Err(Error::TooLarge) } else { Ok(plain.into()) }
}
