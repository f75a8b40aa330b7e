//! What the server can do with JSON documents, which is asked when it is first needed, and searches among them.
use super::index::Index;
use super::{document, search};
use crate::connection::Connections;
use component_api::state::{Query, QueryResult};
use component_api::{Error, Metadata, Result, metadata_value};
use redis::Value;
use tokio::sync::OnceCell;

/// Whether the server has the module for documents, and the indexes that it is to have.
#[derive(Debug)]
pub(super) struct Documents {
    indexes: Vec<Index>,
    are_there: OnceCell<bool>,
    are_indexed: OnceCell<()>,
}

impl Documents {
    pub(super) fn new(indexes: Vec<Index>) -> Self {
        Self { indexes, are_there: OnceCell::new(), are_indexed: OnceCell::new() }
    }

    /// Whether there are queries. Before the server has been asked, those who declare indexes will have them.
    pub(super) fn have_queries(&self) -> bool {
        self.are_there.get().copied().unwrap_or(!self.indexes.is_empty())
    }

    /// Whether the server keeps JSON documents.
    pub(super) async fn are_there(&self, connections: &Connections) -> Result<bool> {
        let ask = || async {
            match connections.run::<Value>(&redis::cmd("JSON.GET")).await {
                Err(error) if is_unknown(&error) || error.to_string().contains("NOPERM") => Ok(false),
                Err(error) if error.is_temporary() || error.kind() == component_api::Kind::Denied => Err(error),
                // A server that knows the command wants a key.
                _ => Ok(true),
            }
        };
        self.are_there.get_or_try_init(ask).await.copied()
    }

    /// Makes the indexes that are not there yet.
    pub(super) async fn prepare(&self, connections: &Connections) -> Result<()> {
        if !self.are_there(connections).await? && !self.indexes.is_empty() {
            return Err(no_modules());
        }
        let make = || async {
            for index in &self.indexes {
                index.make(connections).await?;
            }
            Ok(())
        };
        self.are_indexed.get_or_try_init(make).await.copied()
    }

    /// Runs a query on the index that the metadata name.
    pub(super) async fn query(
        &self,
        connections: &Connections,
        query: &Query,
        metadata: &Metadata,
    ) -> Result<QueryResult> {
        if !self.are_there(connections).await? {
            return Err(no_modules());
        }
        let index = self.index(metadata)?;
        let command = search::command(index, query)?;
        self.prepare(connections).await?;
        let found = match connections.run(&command).await {
            // The server came back without its data.
            Err(error) if is_missing(&error) => {
                index.make(connections).await?;
                connections.run(&command).await?
            }
            found => found?,
        };
        result(query, found)
    }

    fn index(&self, metadata: &Metadata) -> Result<&Index> {
        let name = metadata_value(metadata, "queryIndexName").filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| {
            Error::invalid("query index not found: name one of queryIndexes in the request's metadata queryIndexName")
        })?;
        let found = self.indexes.iter().find(|index| index.name == name);
        found.ok_or_else(|| {
            Error::invalid(format!("query index schema \"{name}\" not found: check metadata property queryIndexes"))
        })
    }
}

impl Index {
    /// One of that name with other members gives way, as the declaration has changed.
    async fn make(&self, connections: &Connections) -> Result<()> {
        match connections.run::<Value>(&self.creation()).await {
            Err(error) if is_unknown(&error) => return Err(no_modules()),
            Err(error) if error.to_string().contains("already exists") => {}
            made => return made.map(drop),
        }
        let info: Value = connections.run(redis::cmd("FT.INFO").arg(&self.name)).await?;
        if self.is_described_by(&info) {
            return Ok(());
        }
        connections.run::<Value>(redis::cmd("FT.DROPINDEX").arg(&self.name)).await?;
        connections.run::<Value>(&self.creation()).await.map(drop)
    }
}

/// The number of all that match, and then key and members of each of this page.
fn result(query: &Query, found: Vec<Value>) -> Result<QueryResult> {
    let mut found = found.into_iter();
    let total: u64 = found.next().map(redis::from_redis_value).transpose().map_err(unreadable)?.unwrap_or_default();
    let (mut items, mut count) = (Vec::new(), 0);
    while let (Some(key), Some(members)) = (found.next(), found.next()) {
        count += 1;
        let key: String = redis::from_redis_value(key).map_err(unreadable)?;
        // What expired since it was found has no members any more.
        let members: Option<Vec<String>> = redis::from_redis_value(members).map_err(unreadable)?;
        let text = members.as_ref().and_then(|members| members.get(1));
        if let Some(item) = text.and_then(|text| document::item(text, Metadata::new()).ok()) {
            items.push((key, item));
        }
    }
    let is_cut = query.limit > 0 || total > query.skip + count as u64;
    let token = if is_cut && count > 0 { (query.skip + count as u64).to_string() } else { String::new() };
    Ok(QueryResult { items, token, metadata: Metadata::new() })
}

fn unreadable(error: redis::ParsingError) -> Error {
    Error::other("the server answered a search in another form").with_source(error)
}

fn is_unknown(error: &Error) -> bool {
    error.to_string().contains("unknown command")
}

fn is_missing(error: &Error) -> bool {
    let text = error.to_string().to_ascii_lowercase();
    text.contains("no such index") || text.contains("unknown index")
}

fn no_modules() -> Error {
    Error::unsupported(
        "queries need a server with the modules RedisJSON and RediSearch, as Redis Stack and Redis 8 have them",
    )
}
