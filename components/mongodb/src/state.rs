//! `state.mongodb`: entries as documents that Dapr's own component reads and writes too (components.md 1.1).
//!
//! A document has the key as `_id`, `value`, `_etag` (a UUID, new with every write), and in `_ttl` when it ends, or null.
mod transaction;

use crate::collection::Documents;
use crate::metadata::Metadata;
use crate::query;
use crate::value::{data, text, time};
use crate::write::Write;
use async_trait::async_trait;
use component_api::state::{
    DeleteRequest, Etag, Features, GetRequest, Item, KeysPage, Operation, Query, QueryResult, SetRequest, Store,
};
use component_api::{Descriptor, Error, Metadata as Pairs, Registry, Result, Status};
use mongodb::bson::{Document, RawDocument, doc};
use mongodb::options::FindOptions;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["mongodb"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "State in MongoDB. Transactions, and so actors, need a replica set.",
        schema: || schemars::schema_for!(Metadata),
    };
    registry.state.add(descriptor, |config| async move {
        let store: Arc<dyn Store> = Arc::new(MongoStore::new(&Metadata::read(&config.properties)?)?);
        Ok(store)
    });
}

/// The store. It connects when it is first used.
#[derive(Debug)]
pub struct MongoStore {
    documents: Documents,
}

impl MongoStore {
    /// Prepares the store; nothing is connected yet.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub fn new(metadata: &Metadata) -> Result<Self> {
        Ok(Self { documents: Documents::new(metadata)? })
    }

    async fn write(&self, write: Write) -> Result<()> {
        let servers = self.documents.servers();
        let made = |collection| async move {
            write.make(&collection, None).await.map_err(|failure| failure.into_error(servers))
        };
        self.documents.run(made).await
    }

    /// The documents that match, each as `read` sees it.
    async fn find<T>(
        &self,
        filter: Document,
        options: FindOptions,
        read: fn(&RawDocument) -> Result<T>,
    ) -> Result<Vec<T>> {
        let translated = |error| self.documents.translate(&error);
        self.documents
            .run(|collection| async move {
                let mut cursor = collection.find(filter).with_options(options).await.map_err(translated)?;
                let mut found = Vec::new();
                while cursor.advance().await.map_err(translated)? {
                    found.push(read(cursor.current())?);
                }
                Ok(found)
            })
            .await
    }
}

#[async_trait]
impl Store for MongoStore {
    fn features(&self) -> Features {
        Features { etag: true, transactional: true, ttl: true, query: true, keys_like: true, ..Features::default() }
    }

    async fn get(&self, request: GetRequest) -> Result<Option<Item>> {
        let filter = doc! {"$and": [{"_id": {"$eq": request.key}}, query::alive()]};
        let found = self.find(filter, FindOptions::builder().limit(1).build(), entry).await?;
        Ok(found.into_iter().next().map(|(_, item)| item))
    }

    async fn set(&self, request: SetRequest) -> Result<()> {
        self.write(Write::set(request)?).await
    }

    async fn delete(&self, request: DeleteRequest) -> Result<()> {
        self.write(Write::delete(request)).await
    }

    async fn transact(&self, operations: Vec<Operation>, _: Pairs) -> Result<()> {
        let writes = operations.into_iter().map(Write::new).collect::<Result<Vec<_>>>()?;
        if writes.is_empty() {
            return Ok(());
        }
        let servers = self.documents.servers();
        self.documents.run(|collection| async move { transaction::run(&collection, &writes, servers).await }).await
    }

    async fn query(&self, document: serde_json::Value, _: Pairs) -> Result<QueryResult> {
        let query = Query::read(&document)?;
        let filter = query::filter(query.filter.as_ref());
        let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
        let options = FindOptions::builder().sort(query::order(&query.sort)).skip(query.skip).limit(limit).build();
        let items = self.find(filter, options, entry).await?;
        let token = query.next_token(items.len());
        Ok(QueryResult { items, token, metadata: Pairs::new() })
    }

    async fn keys_like(&self, pattern: &str, page_size: Option<u32>, continuation: Option<String>) -> Result<KeysPage> {
        if pattern.is_empty() {
            return Err(Error::invalid("keys like pattern cannot be empty"));
        }
        let after = continuation.unwrap_or_default();
        let filter = doc! {"$and": [
            {"_id": {"$regex": query::expression(pattern)}}, query::alive(), {"_id": {"$gt": after}},
        ]};
        let size = page_size.filter(|size| *size > 0);
        let limit = size.map_or(0, |size| i64::from(size) + 1);
        let options = FindOptions::builder().sort(doc! {"_id": 1}).limit(limit).projection(doc! {"_id": 1}).build();
        let mut keys = self.find(filter, options, key).await?;
        let size = size.map_or(usize::MAX, |size| size as usize);
        let continuation = (keys.len() > size).then(|| keys[size - 1].clone());
        keys.truncate(size);
        Ok(KeysPage { keys, continuation })
    }

    /// All entries are read in one go. Where that fails, it fails for each of them.
    async fn bulk_get(&self, requests: Vec<GetRequest>) -> Vec<Result<Option<Item>>> {
        let keys: Vec<String> = requests.into_iter().map(|request| request.key).collect();
        if keys.is_empty() {
            return Vec::new();
        }
        let filter = doc! {"$and": [{"_id": {"$in": &keys}}, query::alive()]};
        let found = self.find(filter, FindOptions::default(), entry).await;
        let items = found.map(|found| found.into_iter().collect::<BTreeMap<_, _>>());
        keys.iter().map(|key| items.as_ref().map(|items| items.get(key).cloned()).map_err(Clone::clone)).collect()
    }

    async fn ping(&self) -> Result<()> {
        self.documents.ping().await
    }

    async fn close(&self) -> Result<()> {
        self.documents.close().await;
        Ok(())
    }
}

fn key(document: &RawDocument) -> Result<String> {
    text(document, "_id").ok_or_else(|| Error::other("a document has no text as _id; something else wrote it"))
}

fn entry(document: &RawDocument) -> Result<(String, Item)> {
    let etag = text(document, "_etag").filter(|etag| !etag.is_empty()).map(Etag);
    let metadata = time(document, "_ttl").map(expiry).unwrap_or_default();
    Ok((key(document)?, Item { data: data(document)?.into(), etag, metadata }))
}

/// Whole seconds, as Dapr's component tells them.
fn expiry(milliseconds: i64) -> Pairs {
    let at = jiff::Timestamp::from_second(milliseconds.div_euclid(1000));
    at.map(|at| Pairs::from([("ttlExpireTime".to_owned(), at.to_string())])).unwrap_or_default()
}
