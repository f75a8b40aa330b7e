//! Why an event was not published, and what the caller of the API is told (surface.md 1.2).
use component_api::Metadata;
use foundation_fault::{Category, Code as Row, Detail, Fault};
use http::StatusCode;
use tonic::{Code, Status};

/// Why an event was not published.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("pubsub name is empty")]
    NameEmpty { metadata: Metadata },
    #[error("pubsub {pubsub} is not found")]
    NotFound { pubsub: String, metadata: Metadata },
    #[error("topic is empty in pubsub {pubsub}")]
    TopicEmpty { pubsub: String, metadata: Metadata },
    /// Metadata of the request has a wrong value.
    #[error("failed deserializing metadata. Error: {reason}")]
    Metadata { pubsub: String, metadata: Metadata, reason: String },
    /// What was published as a CloudEvent is none.
    #[error("cannot create cloudevent")]
    CloudEvent { pubsub: String, app_id: String, reason: String },
    /// The event of an entry does not fit its content type.
    #[error("error when marshalling cloud event envelope for topic {topic} pubsub {pubsub}: {reason}")]
    Envelope { pubsub: String, topic: String, app_id: String, reason: String },
    /// The ids of entries are wrong.
    #[error("error marshaling events to bytes for topic {topic} pubsub {pubsub}. error: {reason}")]
    Entries { pubsub: String, topic: String, app_id: String, reason: String },
    /// The body of a bulk cannot be read.
    #[error("error when unmarshaling the request for topic {topic} pubsub {pubsub}: {reason}")]
    Unreadable { pubsub: String, topic: String, app_id: String, reason: String },
    /// Scopes keep the app from the topic.
    #[error("topic {topic} is not allowed for app id {app_id}")]
    Forbidden { pubsub: String, topic: String, app_id: String },
    /// The broker did not take it.
    #[error("error when publishing to topic {topic} in pubsub {pubsub}: {reason}")]
    Publish { pubsub: String, topic: String, reason: String },
}

const fn row(http: StatusCode, grpc: Code, tag: &'static str, reason: &'static str) -> Row {
    Row::rich(http, grpc, tag, reason, Category::Pubsub)
}

const INVALID: Code = Code::InvalidArgument;

static NAME_EMPTY: Row = row(StatusCode::NOT_FOUND, INVALID, "ERR_PUBSUB_EMPTY", "DAPR_PUBSUB_NAME_EMPTY");
static NOT_FOUND: Row = row(StatusCode::NOT_FOUND, INVALID, "ERR_PUBSUB_NOT_FOUND", "DAPR_PUBSUB_NOT_FOUND");
static TOPIC_EMPTY: Row = row(StatusCode::NOT_FOUND, INVALID, "ERR_TOPIC_NAME_EMPTY", "DAPR_PUBSUB_TOPIC_NAME_EMPTY");
static METADATA: Row =
    row(StatusCode::BAD_REQUEST, INVALID, "ERR_PUBSUB_REQUEST_METADATA", "DAPR_PUBSUB_METADATA_DESERIALIZATION");
static CLOUD_EVENT: Row =
    row(StatusCode::INTERNAL_SERVER_ERROR, INVALID, "ERR_PUBSUB_CLOUD_EVENTS_SER", "DAPR_PUBSUB_CLOUD_EVENT_CREATION");
static ENVELOPE: Row = row(StatusCode::BAD_REQUEST, INVALID, "ERR_PUBSUB_EVENTS_SER", "DAPR_PUBSUB_MARSHAL_ENVELOPE");
static ENTRIES: Row = row(StatusCode::BAD_REQUEST, INVALID, "ERR_PUBSUB_EVENTS_SER", "DAPR_PUBSUB_MARSHAL_EVENTS");
static UNREADABLE: Row = row(StatusCode::BAD_REQUEST, INVALID, "ERR_PUBSUB_EVENTS_SER", "DAPR_PUBSUB_UNMARSHAL_EVENTS");
static FORBIDDEN: Row =
    row(StatusCode::FORBIDDEN, Code::PermissionDenied, "ERR_PUBSUB_FORBIDDEN", "DAPR_PUBSUB_FORBIDDEN");
static PUBLISH: Row =
    row(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "ERR_PUBSUB_PUBLISH_MESSAGE", "DAPR_PUBSUB_PUBLISH_MESSAGE");

impl Error {
    /// The fixed part of the error.
    pub fn row(&self) -> &'static Row {
        match self {
            Self::NameEmpty { .. } => &NAME_EMPTY,
            Self::NotFound { .. } => &NOT_FOUND,
            Self::TopicEmpty { .. } => &TOPIC_EMPTY,
            Self::Metadata { .. } => &METADATA,
            Self::CloudEvent { .. } => &CLOUD_EVENT,
            Self::Envelope { .. } => &ENVELOPE,
            Self::Entries { .. } => &ENTRIES,
            Self::Unreadable { .. } => &UNREADABLE,
            Self::Forbidden { .. } => &FORBIDDEN,
            Self::Publish { .. } => &PUBLISH,
        }
    }

    /// The pubsub it is about, and what the ErrorInfo says beyond its reason.
    fn about(&self) -> (&str, Vec<(String, String)>) {
        let text = self.to_string();
        match self {
            Self::NameEmpty { metadata } => ("", all(metadata)),
            Self::NotFound { pubsub, metadata }
            | Self::TopicEmpty { pubsub, metadata }
            | Self::Metadata { pubsub, metadata, .. } => (pubsub, all(metadata)),
            Self::CloudEvent { pubsub, app_id, reason }
            | Self::Envelope { pubsub, app_id, reason, .. }
            | Self::Entries { pubsub, app_id, reason, .. } => (pubsub, pairs(&[("appID", app_id), ("error", reason)])),
            Self::Unreadable { pubsub, app_id, .. } => (pubsub, pairs(&[("appID", app_id)])),
            Self::Forbidden { pubsub, topic, .. } => (pubsub, pairs(&[("topic", topic), ("error", &text)])),
            Self::Publish { pubsub, topic, reason } => (pubsub, pairs(&[("topic", topic), ("error", reason)])),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let (row, message) = (error.row(), error.to_string());
        let (pubsub, metadata) = error.about();
        let fault = Self::new(row, message.as_str());
        let fault = if matches!(error, Error::NotFound { .. }) { fault } else { fault.with(resource(pubsub, message)) };
        fault.with(Detail::ErrorInfoObject { reason: row.reason.to_owned(), metadata })
    }
}

impl From<Error> for Status {
    /// Over gRPC an unknown pubsub tells nothing of the request.
    fn from(error: Error) -> Self {
        let error = match error {
            Error::NotFound { pubsub, .. } => Error::NotFound { pubsub, metadata: Metadata::new() },
            error => error,
        };
        Fault::from(error).into()
    }
}

fn resource(name: &str, description: String) -> Detail {
    Detail::ResourceInfo { kind: "pubsub".to_owned(), name: name.to_owned(), owner: String::new(), description }
}

fn all(metadata: &Metadata) -> Vec<(String, String)> {
    metadata.clone().into_iter().collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
