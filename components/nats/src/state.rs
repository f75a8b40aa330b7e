//! `state.jetstream`: values in a key-value bucket (components.md 1.1).
use crate::connection::{Connections, Interface};
use crate::server::{Credentials, Server};
use async_nats::jetstream::kv;
use async_trait::async_trait;
use component_api::state::{DeleteRequest, Features, GetRequest, Item, SetRequest, Store};
use component_api::{Descriptor, Error, OnDemand, Properties, Registry, Result, Secret, Status};
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;
use std::sync::Arc;

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["jetstream"],
        versions: &["v1"],
        status: Status::Alpha,
        summary: "State in a key-value bucket of NATS JetStream, which has to exist.",
        schema: || schemars::schema_for!(Metadata),
    };
    registry.state.add(descriptor, |config| async move {
        let store: Arc<dyn Store> = Arc::new(JetStreamStore::new(&Metadata::read(&config.properties)?)?);
        Ok(store)
    });
}

/// State in a key-value bucket of NATS JetStream, which has to exist. Keys have letters, digits and `-/_=.`; `||` in a key
/// becomes a dot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Required. Where the server is, as `nats://user:password@host:4222`, or `tls://...`; several are divided by commas.
    #[serde(rename = "natsURL")]
    pub nats_url: Secret,
    /// Required. Name of the bucket.
    pub bucket: String,
    /// Name of the connection, which the server shows.
    pub name: String,
    /// Token of the user; it needs `seedKey`.
    pub jwt: Secret,
    /// Seed of the user's key; it needs `jwt`.
    pub seed_key: Secret,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            nats_url: Secret::default(),
            bucket: String::new(),
            name: "dapr.io - statestore.jetstream".to_owned(),
            jwt: Secret::default(),
            seed_key: Secret::default(),
        }
    }
}

impl Metadata {
    /// Reads the metadata of a component.
    ///
    /// # Errors
    /// A value that cannot be read, or no bucket.
    pub fn read(properties: &Properties) -> Result<Self> {
        let read: Self = properties.decode()?;
        if read.bucket.is_empty() {
            return Err(Error::invalid("missing bucket: set bucket"));
        }
        Ok(read)
    }
}

/// The store. It connects when it is first used.
pub struct JetStreamStore {
    connections: Connections,
    name: String,
    bucket: OnDemand<kv::Store>,
}

impl JetStreamStore {
    /// Prepares the store; nothing is connected yet.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub fn new(metadata: &Metadata) -> Result<Self> {
        let (jwt, seed_key) = (metadata.jwt.clone(), metadata.seed_key.clone());
        let credentials = Credentials { jwt, seed_key, ..Credentials::default() };
        let server = Server::new(&metadata.nats_url, &metadata.name, &credentials)?;
        let connections = Connections::new(server, Interface::default());
        Ok(Self { connections, name: metadata.bucket.clone(), bucket: OnDemand::default() })
    }

    async fn bucket(&self) -> Result<kv::Store> {
        let (link, name) = (self.connections.link().await?, self.name.clone());
        let open = || async move { link.within(link.context.get_key_value(name)).await };
        Ok(self.bucket.get(open).await?.0)
    }
}

#[async_trait]
impl Store for JetStreamStore {
    fn features(&self) -> Features {
        Features::default()
    }

    async fn get(&self, request: GetRequest) -> Result<Option<Item>> {
        let key = escaped(&request.key)?;
        let bucket = self.bucket().await?;
        let found = self.connections.link().await?.within(bucket.get(key)).await?;
        Ok(found.map(|data| Item { data, ..Item::default() }))
    }

    async fn set(&self, request: SetRequest) -> Result<()> {
        let key = escaped(&request.key)?;
        let bucket = self.bucket().await?;
        let data = request.value.bytes().clone();
        self.connections.link().await?.within(bucket.put(key, data)).await.map(drop)
    }

    async fn delete(&self, request: DeleteRequest) -> Result<()> {
        let key = escaped(&request.key)?;
        let bucket = self.bucket().await?;
        self.connections.link().await?.within(bucket.delete(key)).await
    }

    async fn ping(&self) -> Result<()> {
        self.bucket().await?;
        self.connections.ping().await
    }

    async fn close(&self) -> Result<()> {
        self.connections.close().await;
        Ok(())
    }
}

impl fmt::Debug for JetStreamStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JetStreamStore").field(&self.connections).field(&self.name).finish()
    }
}

/// The key as the bucket has it.
///
/// # Errors
/// The bucket cannot have it.
fn escaped(key: &str) -> Result<String> {
    let escaped = key.replace("||", ".");
    let is_usual = |letter: char| letter.is_ascii_alphanumeric() || "-/_=.".contains(letter);
    if escaped.is_empty() || escaped.starts_with('.') || escaped.ends_with('.') || !escaped.chars().all(is_usual) {
        let rule = "a key of JetStream has letters, digits and -/_=. and no dot at its ends";
        return Err(Error::invalid(format!("nats cannot keep the key '{key}': {rule}")));
    }
    Ok(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_dapr() {
        assert_eq!(escaped("app||a/b=1").unwrap(), "app.a/b=1");
        assert_eq!(escaped("app||type||id||key").unwrap(), "app.type.id.key");
        for key in ["", "app||", "||a", "a b", "a*", "a>", "a:b", "ü", "a|b"] {
            assert!(escaped(key).is_err(), "{key}");
        }
    }
}
