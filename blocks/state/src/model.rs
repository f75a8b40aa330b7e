//! What is asked of the service. Keys are those of the app, without the prefix of the store.
use component_api::Metadata;
use component_api::state::{Concurrency, Consistency, Etag, Item, Value};
use foundation_telemetry::{Span, SpanContext};

/// An entry to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Get {
    pub key: String,
    pub consistency: Consistency,
    pub metadata: Metadata,
}

/// Several entries to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BulkGet {
    pub keys: Vec<String>,
    pub metadata: Metadata,
}

/// One answer of a bulk: the entry, nothing, or why it could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkItem {
    pub key: String,
    pub found: Result<Option<Item>, String>,
}

/// An entry to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Save {
    pub key: String,
    pub value: Value,
    pub etag: Option<Etag>,
    pub options: Options,
    pub metadata: Metadata,
}

/// An entry to delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delete {
    pub key: String,
    pub etag: Option<Etag>,
    pub options: Options,
    pub metadata: Metadata,
}

/// `concurrency` and `consistency` as they were given; empty where they were not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub concurrency: String,
    pub consistency: String,
}

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    Upsert(Save),
    Delete(Delete),
    /// An operation that there is not. The key is empty where it was not looked at.
    Unknown {
        name: String,
        key: String,
    },
}

/// Several operations at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    pub operations: Vec<Operation>,
    pub metadata: Metadata,
    /// Of the request; what an outbox publishes belongs there too.
    pub trace: SpanContext,
}

/// Where a request belongs in its trace.
pub(crate) fn trace(extensions: &http::Extensions) -> SpanContext {
    extensions.get::<Span>().map(|span| span.context().clone()).unwrap_or_default()
}

impl Options {
    /// What the options mean, or a sentence about the one that means nothing.
    pub(crate) fn read(&self) -> Result<(Concurrency, Consistency), String> {
        let consistency = match self.consistency.as_str() {
            "" => Consistency::Unspecified,
            "eventual" => Consistency::Eventual,
            "strong" => Consistency::Strong,
            other => return Err(format!("unrecognized consistency model '{other}'")),
        };
        let concurrency = match self.concurrency.as_str() {
            "" => Concurrency::Unspecified,
            "first-write" => Concurrency::FirstWrite,
            "last-write" => Concurrency::LastWrite,
            other => return Err(format!("unrecognized concurrency model '{other}'")),
        };
        Ok((concurrency, consistency))
    }
}
