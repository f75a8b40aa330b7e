//! State stores.
mod query;
mod time_to_live;

pub use query::{Comparison, Filter, Query, Sorting};
pub use time_to_live::time_to_live;

use crate::{Error, Metadata, Result};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};

/// What a store can do. It decides what the API refuses, what the metadata API lists and which conformance trials run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// `ETAG`: optimistic concurrency.
    pub etag: bool,
    /// `TRANSACTIONAL`: several operations at once, all or none.
    pub transactional: bool,
    /// `TTL`: entries that expire.
    pub ttl: bool,
    /// `QUERY_API`: queries by value.
    pub query: bool,
    /// `KEYS_LIKE`: listing keys by pattern.
    pub keys_like: bool,
    /// `DELETE_WITH_PREFIX`: removal of all keys with a prefix.
    pub delete_with_prefix: bool,
    /// Most operations in one transaction; `None` is any number.
    pub transaction_limit: Option<usize>,
}

/// Version of an entry, opaque to all but its store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Etag(pub String);

/// What happens when two writers meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Concurrency {
    /// Not said, which is the same as last write.
    #[default]
    Unspecified,
    /// The first writer wins: a write without an ETag must create the entry.
    FirstWrite,
    LastWrite,
}

/// What a read may see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    #[default]
    Unspecified,
    Eventual,
    Strong,
}

/// A value to store. Dapr's stores keep JSON as text, and bytes apart from it (some encode them).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// JSON text as the store shall keep it.
    Json(Bytes),
    /// Bytes that come back verbatim.
    Binary(Bytes),
}

impl Value {
    /// The bytes that a later get returns.
    pub fn bytes(&self) -> &Bytes {
        match self {
            Self::Json(bytes) | Self::Binary(bytes) => bytes,
        }
    }
}

/// An entry to read.
#[derive(Clone, Debug, Default)]
pub struct GetRequest {
    pub key: String,
    pub consistency: Consistency,
    pub metadata: Metadata,
}

/// A stored entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    pub data: Bytes,
    pub etag: Option<Etag>,
    /// What the store says of it, such as `ttlExpireTime` (RFC 3339, UTC).
    pub metadata: Metadata,
}

/// An entry to write. Metadata `ttlInSeconds`: seconds to live; -1 or none is for ever.
#[derive(Clone, Debug)]
pub struct SetRequest {
    pub key: String,
    pub value: Value,
    pub etag: Option<Etag>,
    pub concurrency: Concurrency,
    pub consistency: Consistency,
    pub metadata: Metadata,
}

/// An entry to delete.
#[derive(Clone, Debug, Default)]
pub struct DeleteRequest {
    pub key: String,
    pub etag: Option<Etag>,
    pub concurrency: Concurrency,
    pub consistency: Consistency,
    pub metadata: Metadata,
}

/// One step of a transaction.
#[derive(Clone, Debug)]
pub enum Operation {
    Set(SetRequest),
    Delete(DeleteRequest),
}

/// A page of keys that match a SQL LIKE pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeysPage {
    pub keys: Vec<String>,
    /// Where to go on; `None` at the end.
    pub continuation: Option<String>,
}

/// How many single requests run at once where a store has no bulk operation of its own.
const BULK_PARALLELISM: usize = 10;

/// A key/value store.
#[async_trait]
pub trait Store: Send + Sync {
    fn features(&self) -> Features;

    /// Reads an entry; `None` when there is none or it has expired.
    async fn get(&self, request: GetRequest) -> Result<Option<Item>>;

    /// Writes an entry. A wrong ETag is [`crate::Kind::EtagMismatch`] or [`crate::Kind::EtagInvalid`].
    async fn set(&self, request: SetRequest) -> Result<()>;

    /// Deletes an entry; a missing one is no error unless an ETag was given.
    async fn delete(&self, request: DeleteRequest) -> Result<()>;

    /// Does all operations in order, or none of them.
    async fn transact(&self, _operations: Vec<Operation>, _metadata: Metadata) -> Result<()> {
        Err(Error::unsupported("this state store has no transactions"))
    }

    /// Most operations in one transaction; `None` is any number. A store that has to be asked for it is asked when the
    /// first transaction is made.
    async fn transaction_limit(&self) -> Option<usize> {
        self.features().transaction_limit
    }

    /// Runs a document of the query API, which [`Query::read`] reads.
    async fn query(&self, _query: serde_json::Value, _metadata: Metadata) -> Result<QueryResult> {
        Err(Error::unsupported("this state store has no queries"))
    }

    /// Keys that match a SQL LIKE pattern with `\` as escape, in pages of at most `page_size`.
    async fn keys_like(
        &self,
        _pattern: &str,
        _page_size: Option<u32>,
        _continuation: Option<String>,
    ) -> Result<KeysPage> {
        Err(Error::unsupported("this state store cannot list keys"))
    }

    /// Deletes all keys below a prefix and returns how many they were.
    async fn delete_with_prefix(&self, _prefix: &str) -> Result<u64> {
        Err(Error::unsupported("this state store cannot delete by prefix"))
    }

    /// Reads many entries; the answers are in the order of the requests.
    async fn bulk_get(&self, requests: Vec<GetRequest>) -> Vec<Result<Option<Item>>> {
        let gets = requests.into_iter().map(|request| self.get(request));
        stream::iter(gets).buffered(BULK_PARALLELISM).collect().await
    }

    /// Writes many entries, each by itself; the answers are in the order of the requests.
    async fn bulk_set(&self, requests: Vec<SetRequest>) -> Vec<Result<()>> {
        let sets = requests.into_iter().map(|request| self.set(request));
        stream::iter(sets).buffered(BULK_PARALLELISM).collect().await
    }

    /// Deletes many entries, each by itself; the answers are in the order of the requests.
    async fn bulk_delete(&self, requests: Vec<DeleteRequest>) -> Vec<Result<()>> {
        let deletes = requests.into_iter().map(|request| self.delete(request));
        stream::iter(deletes).buffered(BULK_PARALLELISM).collect().await
    }

    /// Makes the first contact with the server behind it, if there is one.
    ///
    /// # Errors
    /// It cannot be reached, or does not let us in.
    async fn ping(&self) -> Result<()> {
        Ok(())
    }

    /// Ends background work and connections.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// What a query found.
#[derive(Clone, Debug, Default)]
pub struct QueryResult {
    /// Key and entry, in the order asked for.
    pub items: Vec<(String, Item)>,
    /// Where the next page starts; empty at the end.
    pub token: String,
    pub metadata: Metadata,
}
