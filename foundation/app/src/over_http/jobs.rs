//! Jobs for an HTTP app (protocols.md 3.6).
use super::Caller;
use super::events::{JSON, post};
use crate::{Error, EventStatus, JobEvent};
use bytes::Bytes;
use http::StatusCode;
use percent_encoding::percent_decode_str;
use prost::Message;
use prost_types::{Any, Value};
use std::collections::BTreeMap;

/// The protobuf type of JSON in an [`Any`].
const VALUE: &str = "type.googleapis.com/google.protobuf.Value";

impl Caller {
    pub(super) async fn job(&self, job: &JobEvent) -> Result<EventStatus, Error> {
        let path = path(&job.name)?;
        let body = body(job.data.as_ref())?;
        let response = self.invoke(post(&path, JSON, body, &BTreeMap::new(), &job.headers)?).await?;
        let status = response.status();
        self.read(response.into_body()).await?;
        match status {
            status if status.is_success() => Ok(EventStatus::Success),
            StatusCode::NOT_FOUND => Ok(EventStatus::Drop),
            status => Err(Error::Rejected { status, message: format!("status code returned: {}", status.as_u16()) }),
        }
    }
}

/// Where the app is told of a job. Escapes of the name are kept, as Dapr keeps them.
fn path(name: &str) -> Result<String, Error> {
    let name = name.trim_start_matches('/');
    let before_query = name.split('?').next().unwrap_or_default();
    let segments = percent_decode_str(before_query).decode_utf8_lossy();
    if segments.split(['/', '\\']).any(|segment| matches!(segment, "." | "..")) {
        return Err(Error::Malformed(format!(
            "the name of job {name} leads elsewhere; leave out . and .. in its path"
        )));
    }
    Ok(format!("/job/{}", with_whole_escapes(name)))
}

/// A percent sign that begins no escape stands for itself.
fn with_whole_escapes(name: &str) -> String {
    let is_escape = |rest: &str| rest.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
    let (first, rest) = name.split_once('%').map_or((name, None), |(first, rest)| (first, Some(rest)));
    let escaped = rest.into_iter().flat_map(|rest| rest.split('%'));
    let escaped = escaped.map(|rest| if is_escape(rest) { format!("%{rest}") } else { format!("%25{rest}") });
    std::iter::once(first.to_owned()).chain(escaped).collect()
}

/// Without white space around, to which Go counts the vertical tab.
fn trimmed(data: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = data.iter().position(|byte| !is_space(byte)).unwrap_or(data.len());
    let end = data.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    &data[start..end]
}

/// JSON as such, other data as its bytes.
fn body(data: Option<&Any>) -> Result<Bytes, Error> {
    let Some(data) = data else { return Ok(Bytes::new()) };
    if data.type_url != VALUE {
        return Ok(trimmed(&data.value).to_vec().into());
    }
    let value = Value::decode(data.value.as_slice()).map_err(|error| Error::Malformed(error.to_string()))?;
    if value.kind.is_none() {
        return Ok(Bytes::new());
    }
    Ok(foundation_json::of_protobuf(value).to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_paths_below_that_of_jobs() {
        for (name, expected) in [
            ("a", "/job/a"),
            ("/a/b", "/job/a/b"),
            ("a%2Fb", "/job/a%2Fb"),
            ("a%b", "/job/a%25b"),
            ("100%", "/job/100%25"),
            ("%%41", "/job/%25%41"),
            ("%\u{fc}", "/job/%25\u{fc}"),
            ("...", "/job/..."),
            ("a?b=..", "/job/a?b=.."),
        ] {
            assert_eq!(path(name).unwrap(), expected);
        }
        for name in ["..", ".", "a/../b", "%2e%2E", "..%2fb", "..\\b", "../b?c"] {
            assert!(path(name).is_err(), "{name}");
        }
    }
}
