//! How entries are read, whatever form they have.
use super::{RedisStore, document};
use bytes::Bytes;
use component_api::state::{Etag, GetRequest, Item};
use component_api::{Error, Metadata, Result};

/// `data` and `version` of a hash.
type Fields = (Option<Vec<u8>>, Option<String>);

impl RedisStore {
    /// The metadata say which form is looked for first; an entry of another form is found all the same.
    pub(super) async fn read(&self, request: &GetRequest) -> Result<Option<Item>> {
        let key = &request.key;
        if document::is_asked_for(&request.metadata) && self.documents.are_there(&self.connections).await? {
            match self.document(key).await {
                Err(error) if is_of_another_form(&error) => {}
                found => return found,
            }
        }
        match self.hash(key).await {
            Err(error) if is_of_another_form(&error) => self.of_another_form(key).await,
            found => found,
        }
    }

    async fn hash(&self, key: &str) -> Result<Option<Item>> {
        let mut both = redis::pipe();
        both.cmd("HMGET").arg(key).arg("data").arg("version");
        both.cmd("PTTL").arg(key);
        let (hash, milliseconds) = self.connections.run::<(Fields, i64)>(&both).await?;
        item(hash, milliseconds)
    }

    async fn document(&self, key: &str) -> Result<Option<Item>> {
        let mut both = redis::pipe();
        both.cmd("JSON.GET").arg(key);
        both.cmd("PTTL").arg(key);
        let (text, milliseconds) = self.connections.run::<(Option<String>, i64)>(&both).await?;
        text.map(|text| document::item(&text, expiry(milliseconds))).transpose()
    }

    /// What was stored before there were hashes.
    async fn plain(&self, key: &str) -> Result<Option<Item>> {
        let data: Option<Vec<u8>> = self.connections.run(redis::cmd("GET").arg(key)).await?;
        Ok(data.map(|data| Item { data: data.into(), ..Item::default() }))
    }

    /// An entry that is no hash.
    async fn of_another_form(&self, key: &str) -> Result<Option<Item>> {
        if self.documents.are_there(&self.connections).await? {
            match self.document(key).await {
                Err(error) if is_of_another_form(&error) => {}
                found => return found,
            }
        }
        self.plain(key).await
    }
}

fn is_of_another_form(error: &Error) -> bool {
    let text = error.to_string();
    text.contains("WRONGTYPE") || text.contains("wrong Redis type")
}

fn item((data, version): Fields, milliseconds: i64) -> Result<Option<Item>> {
    match (data, version) {
        (None, None) => Ok(None),
        (Some(data), Some(version)) => {
            Ok(Some(Item { data: Bytes::from(data), etag: Some(Etag(version)), metadata: expiry(milliseconds) }))
        }
        _ => Err(Error::other("the hash has no field 'data' or no field 'version'; something else wrote it")),
    }
}

fn expiry(milliseconds: i64) -> Metadata {
    let Ok(left) = u64::try_from(milliseconds) else { return Metadata::new() };
    let at = jiff::Timestamp::now().checked_add(std::time::Duration::from_millis(left));
    let at = at.and_then(|at| at.round(jiff::Unit::Second));
    at.map(|at| Metadata::from([("ttlExpireTime".to_owned(), at.to_string())])).unwrap_or_default()
}
