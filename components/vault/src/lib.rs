//! `secretstores.hashicorp.vault`: secrets of a key/value engine, version 2 (components.md 1.4).
mod client;
mod metadata;
mod tls;

pub use metadata::{Metadata, ValueType};

use async_trait::async_trait;
use client::Client;
use component_api::secret::{Features, Secret, Store};
use component_api::{Descriptor, Error, Kind, Metadata as Pairs, Registry, Result, Status, metadata_value};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many secrets are read at the same time.
const AT_ONCE: usize = 10;
/// What stays as it is in a path.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Makes the component known.
pub fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["hashicorp.vault"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "Secrets of a key/value engine, version 2, of HashiCorp Vault.",
        schema: || schemars::schema_for!(Metadata),
    };
    registry.secret.add(descriptor, |config| async move {
        let store: Arc<dyn Store> = Arc::new(VaultStore::new(&Metadata::read(&config.properties)?)?);
        Ok(store)
    });
}

/// The store. It connects when it is first used.
#[derive(Debug)]
pub struct VaultStore {
    client: Client,
    engine: String,
    /// What all names begin with: nothing, or a folder and a slash.
    prefix: String,
    value_type: ValueType,
}

/// An answer to a question about one secret.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    data: Version<'a>,
}

/// One version of a secret.
#[derive(Deserialize)]
struct Version<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Default, Deserialize)]
struct Listing {
    data: Keys,
}

#[derive(Default, Deserialize)]
struct Keys {
    #[serde(default)]
    keys: Vec<String>,
}

impl VaultStore {
    /// Prepares the store; nothing is connected yet.
    ///
    /// # Errors
    /// Metadata that cannot be used, or a file of a token or certificate that cannot be read.
    pub fn new(metadata: &Metadata) -> Result<Self> {
        Ok(Self {
            client: Client::new(metadata)?,
            engine: metadata.engine_path.clone(),
            prefix: metadata.prefix(),
            value_type: metadata.vault_value_type,
        })
    }

    async fn read(&self, name: &str, version: &str) -> Result<Secret> {
        let (path, version) = (self.path("data", name), utf8_percent_encode(version, ESCAPED));
        let answer =
            self.client.get(&format!("{path}?version={version}")).await.map_err(|error| match error.kind() {
                Kind::NotFound => {
                    Error::new(Kind::NotFound, format!("getSecret {name} failed secret key or version not exist"))
                }
                _ => error,
            })?;
        // The parser's own words might quote the secret.
        let unreadable = |_| Error::other(format!("the answer of vault about secret {name} is no version of a secret"));
        let Answer { data: Version { data } } = serde_json::from_slice(&answer).map_err(unreadable)?;
        if self.value_type == ValueType::Text {
            return Ok(Secret::from([(name.to_owned(), text(data))]));
        }
        let no_texts =
            |_| Error::other(format!("secret {name} has values that are no texts; set vaultValueType to text"));
        serde_json::from_str(data.get()).map_err(no_texts)
    }

    /// The names of all secrets, in all folders.
    async fn names(&self) -> Result<Vec<String>> {
        let (mut names, mut folders) = (Vec::new(), vec![String::new()]);
        while let Some(folder) = folders.pop() {
            for key in self.list(&folder).await? {
                let name = format!("{folder}{key}");
                if name.ends_with('/') { folders.push(name) } else { names.push(name) }
            }
        }
        Ok(names)
    }

    /// What is in a folder; nothing if there is none.
    async fn list(&self, folder: &str) -> Result<Vec<String>> {
        let listed = match self.client.list(&self.path("metadata", folder)).await {
            Err(error) if error.kind() == Kind::NotFound => return Ok(Vec::new()),
            listed => listed?,
        };
        let unreadable = |error| Error::other("the answer of vault is no list of keys").with_source(error);
        Ok(serde_json::from_slice::<Listing>(&listed).map_err(unreadable)?.data.keys)
    }

    fn path(&self, what: &str, name: &str) -> String {
        let name = format!("{}{name}", self.prefix);
        format!("/v1/{}/{what}/{}", self.engine, utf8_percent_encode(&name, ESCAPED))
    }
}

#[async_trait]
impl Store for VaultStore {
    fn features(&self) -> Features {
        Features { multiple_values: self.value_type == ValueType::Map }
    }

    /// `version_id` asks for a version; it is the latest one otherwise.
    async fn get(&self, name: &str, metadata: &Pairs) -> Result<Secret> {
        self.read(name, version(metadata)).await
    }

    /// Secrets that have no such version are left out.
    async fn bulk_get(&self, metadata: &Pairs) -> Result<BTreeMap<String, Secret>> {
        let read = |name: String| async move {
            match self.read(&name, version(metadata)).await {
                Err(error) if error.kind() == Kind::NotFound => Ok(None),
                secret => Ok(Some((name, secret?))),
            }
        };
        let secrets = stream::iter(self.names().await?.into_iter().map(read)).buffered(AT_ONCE);
        secrets.try_filter_map(|secret| async { Ok(secret) }).try_collect().await
    }

    async fn ping(&self) -> Result<()> {
        self.client.check().await
    }
}

fn version(metadata: &Pairs) -> &str {
    metadata_value(metadata, "version_id").unwrap_or("0")
}

/// A text as it is, anything else as JSON.
fn text(json: &RawValue) -> String {
    serde_json::from_str::<String>(json.get()).unwrap_or_else(|_| json.get().to_owned())
}
