//! Answers of servers as the binding tells them.
use bytes::{Bytes, BytesMut};
use component_api::binding::Response;
use component_api::{Error, Kind, Metadata, Result};
use http::header::{CONNECTION, TRANSFER_ENCODING};
use http::response::Parts;
use http_body::Body;
use http_body_util::BodyExt;
use hyper::ext::ReasonPhrase;
use std::fmt::Display;

/// The answer with its body, of which at most `limit` bytes are read, as they are when decompressed (0 is without limit).
///
/// # Errors
/// A body that ends too early.
pub(crate) async fn read<B>(response: http::Response<B>, limit: u64, only_success: bool) -> Result<Response>
where
    B: Body<Data = Bytes, Error: Display> + Unpin,
{
    let (head, body) = response.into_parts();
    let data = body_of(body, limit).await?;
    let refused = only_success && !head.status.is_success();
    let failure = refused.then(|| Error::other(format!("received status code {}", head.status.as_u16())));
    Ok(Response { data: Some(data), metadata: metadata(&head), failure })
}

async fn body_of<B: Body<Data = Bytes, Error: Display> + Unpin>(mut body: B, limit: u64) -> Result<Bytes> {
    let limit = if limit == 0 { usize::MAX } else { usize::try_from(limit).unwrap_or(usize::MAX) };
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::new(Kind::Unavailable, format!("the answer broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        let room = limit - read.len();
        read.extend_from_slice(&data[..data.len().min(room)]);
        if read.len() == limit {
            break;
        }
    }
    Ok(read.freeze())
}

/// Status and headers; several values of a header are joined.
fn metadata(head: &Parts) -> Metadata {
    let code = head.status.as_u16().to_string();
    let reason = head.extensions.get::<ReasonPhrase>().and_then(|reason| std::str::from_utf8(reason.as_bytes()).ok());
    let reason = reason.or_else(|| head.status.canonical_reason()).unwrap_or_default();
    let mut metadata = Metadata::new();
    for name in head.headers.keys().filter(|name| !matches!(**name, CONNECTION | TRANSFER_ENCODING)) {
        let values: Vec<_> =
            head.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        metadata.insert(canonical(name.as_str()), values.join(", "));
    }
    metadata.insert("status".to_owned(), format!("{code} {reason}"));
    metadata.insert("statusCode".to_owned(), code);
    metadata
}

/// A header's name as Go writes it, such as `Content-Type`.
fn canonical(name: &str) -> String {
    let part = |part: &str| {
        let mut letters = part.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    name.split('-').map(part).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_look_like_those_of_go() {
        assert_eq!(["content-type", "etag", "x--a-"].map(canonical), ["Content-Type", "Etag", "X--A-"]);
    }

    #[test]
    fn metadata_has_status_and_headers() {
        let response = http::Response::builder().status(404).header("x-a", "1").header("x-a", "2").body(()).unwrap();
        let metadata = metadata(&response.into_parts().0);
        let expected = [("status", "404 Not Found"), ("statusCode", "404"), ("X-A", "1, 2")];
        assert_eq!(metadata, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }
}
