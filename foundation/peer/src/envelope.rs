//! Heads of calls and answers as `InternalInvokeRequest` and `InternalInvokeResponse`, written from and read into header
//! maps without an intermediate message. Contract: protocols.md 6.2 and 6.3, field numbers in surface.md 9.
use crate::call::{Answer, Head, Origin, Outcome};
use crate::headers::{self, Skipped};
use crate::own::Own;
use crate::proto::{Fields, Malformed, Value, put_bytes, put_element, put_length, put_message, put_number};
use crate::target::Target;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use prost::encoding::encoded_len_varint;
use tonic::{Code, Status};

/// `APIVersion.V1`.
const V1: u64 = 1;

/// The verbs by their numbers; 0 is NONE.
const VERBS: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::CONNECT,
    Method::OPTIONS,
    Method::TRACE,
    Method::PATCH,
];

/// One message of a stream in either direction.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    pub(crate) head: Option<Bytes>,
    pub(crate) payload: Option<(Bytes, u64)>,
}

impl Piece {
    pub(crate) fn decode(message: Bytes) -> Result<Self, Malformed> {
        let mut piece = Self::default();
        for field in Fields(message) {
            match field? {
                (1, head) => piece.head = Some(head.bytes()),
                (2, payload) => piece.payload = Some(decode_payload(payload.bytes())?),
                _ => {}
            }
        }
        Ok(piece)
    }
}

fn decode_payload(message: Bytes) -> Result<(Bytes, u64), Malformed> {
    let mut payload = (Bytes::new(), 0);
    for field in Fields(message) {
        match field? {
            (1, data) => payload.0 = data.bytes(),
            (2, sequence) => payload.1 = sequence.number(),
            _ => {}
        }
    }
    Ok(payload)
}

/// Writes the fields of a payload up to its data, which has `length` bytes and must follow.
pub(crate) fn put_payload_start(out: &mut BytesMut, sequence: u64, length: usize) {
    let of_sequence = if sequence == 0 { 0 } else { 1 + encoded_len_varint(sequence) };
    put_length(out, 2, of_sequence + 1 + encoded_len_varint(length as u64) + length);
    put_number(out, 2, sequence);
    put_length(out, 1, length);
}

/// Writes the fields of a request with what this sidecar adds to the headers.
pub(crate) fn put_request(out: &mut BytesMut, head: &Head, own: &Own, target: &Target, data: &[u8]) {
    put_number(out, 1, V1);
    put_metadata(out, 2, &head.headers, head.origin, Skipped::OfRequest);
    put_forwarded(out, head, own);
    put_entry(out, 2, headers::DESTINATION, [target.app_id.as_bytes()]);
    put_entry(out, 2, headers::CALLER_NAMESPACE, [own.namespace.as_bytes()]);
    put_entry(out, 2, headers::CALLER_ID, [own.app_id.as_bytes()]);
    put_entry(out, 2, headers::CALLEE_ID, [target.app_id.as_bytes()]);
    put_message(out, 3, |out| put_invoke_request(out, head, data));
}

fn put_invoke_request(out: &mut BytesMut, head: &Head, data: &[u8]) {
    put_bytes(out, 1, head.method.as_bytes());
    put_any(out, 2, &head.type_url, data);
    put_bytes(out, 3, head.content_type.as_ref().map_or(&[], HeaderValue::as_bytes));
    put_message(out, 4, |out| {
        put_number(out, 1, verb_number(head.verb.as_ref()));
        put_bytes(out, 2, head.query.as_bytes());
    });
}

/// What stood in these headers stays; the sidecar adds a value of its own (surface.md 0.34).
fn put_forwarded(out: &mut BytesMut, head: &Head, own: &Own) {
    for (name, added) in own.forwarded() {
        let given = head.headers.get_all(name).into_iter().map(HeaderValue::as_bytes);
        put_entry(out, 2, name, given.chain([added.as_bytes()]));
    }
}

/// Writes the fields of an answer.
pub(crate) fn put_response(out: &mut BytesMut, answer: &Answer, data: &[u8]) {
    put_message(out, 1, |out| put_outcome(out, &answer.outcome));
    match &answer.outcome {
        Outcome::Http(_) => put_metadata(out, 2, &answer.headers, Origin::Http, Skipped::OfAnswer),
        Outcome::Grpc { trailers, .. } => {
            put_metadata(out, 2, &answer.headers, Origin::Grpc, Skipped::OfAnswer);
            put_metadata(out, 3, trailers, Origin::Grpc, Skipped::OfAnswer);
        }
    }
    put_message(out, 4, |out| {
        put_any(out, 1, &answer.type_url, data);
        put_bytes(out, 2, answer.content_type.as_ref().map_or(&[], HeaderValue::as_bytes));
    });
}

/// The details of a gRPC status are a `google.rpc.Status`, whose fields are those of Dapr's own.
fn put_outcome(out: &mut BytesMut, outcome: &Outcome) {
    match outcome {
        Outcome::Grpc { status, .. } if !status.details().is_empty() => out.extend_from_slice(status.details()),
        Outcome::Grpc { status, .. } => {
            put_number(out, 1, status.code() as u64);
            put_bytes(out, 2, status.message().as_bytes());
        }
        Outcome::Http(status) => put_number(out, 1, u64::from(status.as_u16())),
    }
}

fn put_any(out: &mut BytesMut, field: u32, type_url: &str, value: &[u8]) {
    put_message(out, field, |out| {
        put_bytes(out, 1, type_url.as_bytes());
        put_bytes(out, 2, value);
    });
}

fn put_metadata(out: &mut BytesMut, field: u32, map: &HeaderMap, origin: Origin, skipped: Skipped) {
    let named = headers::connection_named(map);
    for name in map.keys().filter(|name| !skipped.skips(name, &named)) {
        let values = map.get_all(name).into_iter();
        match origin {
            Origin::Http => {
                put_entry(out, field, &headers::canonical(name.as_str()), values.map(HeaderValue::as_bytes))
            }
            Origin::Grpc if name.as_str().ends_with("-bin") => {
                let padded: Vec<String> = values.map(headers::padded).collect();
                put_entry(out, field, name.as_str(), padded.iter().map(String::as_bytes));
            }
            Origin::Grpc => put_entry(out, field, written(name), values.map(HeaderValue::as_bytes)),
        }
    }
}

/// The other way round than [`header_name`].
fn written(name: &HeaderName) -> &str {
    if name.as_str() == headers::AUTHORITY { ":authority" } else { name.as_str() }
}

fn put_entry<'a>(out: &mut BytesMut, field: u32, name: &str, values: impl IntoIterator<Item = &'a [u8]>) {
    put_message(out, field, |out| {
        put_bytes(out, 1, name.as_bytes());
        put_message(out, 2, |out| {
            for value in values {
                put_element(out, 1, String::from_utf8_lossy(value).as_bytes());
            }
        });
    });
}

fn verb_number(verb: Option<&Method>) -> u64 {
    let number = verb.map_or(Some(0), |verb| VERBS.iter().position(|known| known == verb).map(|index| index + 1));
    number.unwrap_or(3) as u64
}

/// Reads a request; with it comes the data that was in the message itself, none if there was no message.
pub(crate) fn decode_request(message: Bytes) -> Result<(Head, Option<Bytes>), Malformed> {
    let mut head = Head::default();
    let mut data = None;
    for field in Fields(message) {
        match field? {
            (2, entry) => read_entry(entry.bytes(), &mut head.headers, &mut head.origin)?,
            (3, message) => data = Some(read_invoke_request(message.bytes(), &mut head)?),
            _ => {}
        }
    }
    Ok((head, data))
}

fn read_invoke_request(message: Bytes, head: &mut Head) -> Result<Bytes, Malformed> {
    let mut data = Bytes::new();
    for field in Fields(message) {
        match field? {
            (1, method) => head.method = method.text(),
            (2, any) => (head.type_url, data) = read_any(any.bytes())?,
            (3, content_type) => head.content_type = HeaderValue::from_maybe_shared(content_type.bytes()).ok(),
            (4, extension) => read_extension(extension.bytes(), head)?,
            _ => {}
        }
    }
    Ok(data)
}

fn read_extension(message: Bytes, head: &mut Head) -> Result<(), Malformed> {
    for field in Fields(message) {
        match field? {
            (1, verb) => head.verb = verb_of(verb.number()),
            (2, query) => head.query = query.text(),
            _ => {}
        }
    }
    Ok(())
}

fn verb_of(number: u64) -> Option<Method> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    VERBS.get(index).cloned()
}

fn read_any(message: Bytes) -> Result<(String, Bytes), Malformed> {
    let mut any = (String::new(), Bytes::new());
    for field in Fields(message) {
        match field? {
            (1, type_url) => any.0 = type_url.text(),
            (2, value) => any.1 = value.bytes(),
            _ => {}
        }
    }
    Ok(any)
}

/// Reads an answer; with it comes the data that was in the message itself. None without a status.
pub(crate) fn decode_response(message: Bytes) -> Result<Option<(Answer, Bytes)>, Malformed> {
    let (mut status, mut data, mut trailers, mut origin) = (None, Bytes::new(), HeaderMap::new(), Origin::Http);
    let mut answer = Answer {
        outcome: Outcome::Http(StatusCode::OK),
        headers: HeaderMap::new(),
        content_type: None,
        type_url: String::new(),
        body: Body::empty(),
    };
    for field in Fields(message) {
        match field? {
            (1, value) => status = Some(value.bytes()),
            (2, entry) => read_entry(entry.bytes(), &mut answer.headers, &mut origin)?,
            (3, entry) => read_entry(entry.bytes(), &mut trailers, &mut origin)?,
            (4, message) => data = read_invoke_response(message.bytes(), &mut answer)?,
            _ => {}
        }
    }
    let Some(status) = status else { return Ok(None) };
    answer.outcome = read_outcome(status, trailers)?;
    Ok(Some((answer, data)))
}

fn read_invoke_response(message: Bytes, answer: &mut Answer) -> Result<Bytes, Malformed> {
    let mut data = Bytes::new();
    for field in Fields(message) {
        match field? {
            (1, any) => (answer.type_url, data) = read_any(any.bytes())?,
            (2, content_type) => answer.content_type = HeaderValue::from_maybe_shared(content_type.bytes()).ok(),
            _ => {}
        }
    }
    answer.content_type.take_if(|value| value.is_empty());
    Ok(data)
}

fn read_outcome(message: Bytes, trailers: HeaderMap) -> Result<Outcome, Malformed> {
    let (mut number, mut text, mut details) = (0, String::new(), Bytes::new());
    for field in Fields(message.clone()) {
        match field? {
            (1, code) => number = code.number(),
            (2, value) => text = value.text(),
            (3, _) => details = message.clone(),
            _ => {}
        }
    }
    let http = u16::try_from(number).ok().and_then(|number| StatusCode::from_u16(number).ok());
    if let Some(status) = http {
        return Ok(Outcome::Http(status));
    }
    let code = i32::try_from(number).map_or(Code::Unknown, Code::from_i32);
    Ok(Outcome::Grpc { status: Status::with_details(code, text, details), trailers })
}

fn read_entry(message: Bytes, map: &mut HeaderMap, origin: &mut Origin) -> Result<(), Malformed> {
    let (mut name, mut values) = (Bytes::new(), Bytes::new());
    for field in Fields(message) {
        match field? {
            (1, value) => name = value.bytes(),
            (2, value) => values = value.bytes(),
            _ => {}
        }
    }
    let Some(key) = header_name(&name) else { return Ok(()) };
    for value in Fields(values) {
        let (_, value) = value?;
        read_value(&name, &key, value, map, origin);
    }
    Ok(())
}

/// Only gRPC callers send this name in lower case, which tells where the call came from.
fn read_value(name: &[u8], key: &HeaderName, value: Value, map: &mut HeaderMap, origin: &mut Origin) {
    let Ok(value) = HeaderValue::from_maybe_shared(value.bytes()) else { return };
    if name == b"content-type" && value.as_bytes().starts_with(b"application/grpc") {
        *origin = Origin::Grpc;
    }
    map.append(key, value);
}

/// The name of a header; pseudo headers of HTTP/2 get a prefix, as no header can have their names.
fn header_name(name: &[u8]) -> Option<HeaderName> {
    match name {
        b":method" | b":scheme" | b":path" | b":authority" => {
            HeaderName::from_bytes(&[b"dapr-", name.split_first()?.1].concat()).ok()
        }
        _ => HeaderName::from_bytes(name).ok(),
    }
}

#[cfg(test)]
mod tests;
