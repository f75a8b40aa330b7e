//! Calls of actors and their answers, as they travel between sidecars (protocols.md 2.6).
use bytes::Bytes;
use prost_types::Any;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use wire::common::v1::{HttpExtension, InvokeRequest, InvokeResponse};
use wire::internals::v1::{
    Actor, ApiVersion, InternalInvokeRequest, InternalInvokeResponse, ListStringValue, Status as WireStatus,
};

const SEPARATOR: &str = "||";
/// Marks an answer that is an error of the actor itself: it goes to the caller as it is.
const ERROR: &str = "X-Daprerrorresponseheader";
/// Names the chain of calls that a call belongs to.
const REENTRANCY: &str = "Dapr-Reentrancy-Id";

/// An actor: its type and its id.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorKey {
    pub actor_type: String,
    pub id: String,
}

impl ActorKey {
    /// An actor by its names.
    pub fn new(actor_type: impl Into<String>, id: impl Into<String>) -> Self {
        Self { actor_type: actor_type.into(), id: id.into() }
    }
}

impl fmt::Display for ActorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{SEPARATOR}{}", self.actor_type, self.id)
    }
}

/// Headers of a call or an answer, with their names as the caller or the app wrote them: apps on a stream see them so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(pub BTreeMap<String, Vec<String>>);

impl Metadata {
    /// The first value of a name, without regard to case.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.and_then(|(_, values)| values.first()).map(String::as_str)
    }

    /// Puts a single value in the place of all of that name.
    pub fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.0.insert(name.to_owned(), vec![value.to_owned()]);
    }

    /// Removes a name, however it is written.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|known, _| !known.eq_ignore_ascii_case(name));
    }
}

impl From<HashMap<String, ListStringValue>> for Metadata {
    fn from(lists: HashMap<String, ListStringValue>) -> Self {
        Self(lists.into_iter().map(|(name, list)| (name, list.values)).collect())
    }
}

impl From<Metadata> for HashMap<String, ListStringValue> {
    fn from(metadata: Metadata) -> Self {
        metadata.0.into_iter().map(|(name, values)| (name, ListStringValue { values })).collect()
    }
}

/// A call of a method of an actor.
#[derive(Clone, Debug, Default)]
pub struct Call {
    pub actor: ActorKey,
    pub method: String,
    /// Verb and query of a caller over HTTP; apps see the query only.
    pub http: Option<HttpExtension>,
    pub metadata: Metadata,
    pub content_type: String,
    pub data: Bytes,
}

impl Call {
    /// The chain of calls that this one belongs to.
    pub(crate) fn reentrancy_id(&self) -> Option<&str> {
        self.metadata.get(REENTRANCY)
    }

    /// Makes this call the first of a new chain.
    pub(crate) fn begin_chain(&mut self) {
        self.metadata.set(REENTRANCY, &uuid::Uuid::new_v4().to_string());
    }
}

/// What came of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// An HTTP status from 100 on, else a gRPC code.
    pub status: i32,
    pub metadata: Metadata,
    pub content_type: String,
    pub data: Bytes,
}

impl Answer {
    /// Whether the actor itself says that this is an error.
    pub fn is_error(&self) -> bool {
        self.metadata.get(ERROR).is_some()
    }

    /// Says that this is an error of the actor itself.
    pub(crate) fn mark_error(&mut self) {
        self.metadata.set(ERROR, "true");
    }
}

impl From<Call> for InternalInvokeRequest {
    fn from(call: Call) -> Self {
        let data = Any { type_url: String::new(), value: call.data.into() };
        Self {
            ver: ApiVersion::V1.into(),
            metadata: call.metadata.into(),
            message: Some(InvokeRequest {
                method: call.method,
                data: Some(data),
                content_type: call.content_type,
                http_extension: call.http,
            }),
            actor: Some(Actor { actor_type: call.actor.actor_type, actor_id: call.actor.id }),
        }
    }
}

impl From<InternalInvokeRequest> for Call {
    fn from(request: InternalInvokeRequest) -> Self {
        let (message, actor) = (request.message.unwrap_or_default(), request.actor.unwrap_or_default());
        Self {
            actor: ActorKey::new(actor.actor_type, actor.actor_id),
            method: message.method,
            http: message.http_extension,
            metadata: request.metadata.into(),
            content_type: message.content_type,
            data: message.data.unwrap_or_default().value.into(),
        }
    }
}

impl From<Answer> for InternalInvokeResponse {
    fn from(answer: Answer) -> Self {
        let data = Any { type_url: String::new(), value: answer.data.into() };
        Self {
            status: Some(WireStatus { code: answer.status, ..WireStatus::default() }),
            headers: answer.metadata.into(),
            trailers: HashMap::new(),
            message: Some(InvokeResponse { data: Some(data), content_type: answer.content_type }),
        }
    }
}

impl From<InternalInvokeResponse> for Answer {
    fn from(response: InternalInvokeResponse) -> Self {
        let message = response.message.unwrap_or_default();
        Self {
            status: response.status.unwrap_or_default().code,
            metadata: response.headers.into(),
            content_type: message.content_type,
            data: message.data.unwrap_or_default().value.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_metadata_have_no_case_but_keep_it() {
        let mut metadata = Metadata::default();
        metadata.set("dapr-reentrancy-id", "1");
        metadata.set("content-type", "text/plain");
        let call = Call { metadata, ..Call::default() };
        assert_eq!(call.reentrancy_id(), Some("1"));
        let wire = InternalInvokeRequest::from(call);
        assert!(wire.metadata.contains_key("content-type"));
        let mut call = Call::from(wire);
        call.begin_chain();
        assert_eq!(call.metadata.0.keys().collect::<Vec<_>>(), [REENTRANCY, "content-type"]);
    }
}
