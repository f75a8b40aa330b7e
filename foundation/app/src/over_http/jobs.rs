//! Jobs for an HTTP app (protocols.md 3.6).
use super::Caller;
use super::events::{JSON, post};
use crate::{Error, EventStatus, JobEvent};
use bytes::Bytes;
use http::StatusCode;
use prost::Message;
use prost_types::{Any, Value};
use std::collections::BTreeMap;

/// The protobuf type of JSON in an [`Any`].
const VALUE: &str = "type.googleapis.com/google.protobuf.Value";

impl Caller {
    pub(super) async fn job(&self, job: &JobEvent) -> Result<EventStatus, Error> {
        let path = format!("/job/{}", job.name.trim_start_matches('/'));
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
