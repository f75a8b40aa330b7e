//! A schema registry, by its HTTP interface.
use crate::avro::Schema;
use crate::metadata::SchemaMetadata;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use component_api::{Error, Kind, Result, Secret};
use foundation_fetch::Client;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, Request, StatusCode, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// Most schemas that are kept; beyond that they are read anew.
const MOST: usize = 1000;

/// A schema registry. It is asked when a schema is first needed.
pub(crate) struct Registry {
    url: String,
    authorization: Option<HeaderValue>,
    http: OnceCell<Client>,
    keeps: bool,
    latest_for: Duration,
    kept: Mutex<Kept>,
}

/// A schema with its number in the registry.
#[derive(Clone)]
pub(crate) struct Registered {
    pub(crate) id: u32,
    pub(crate) schema: Arc<Schema>,
}

#[derive(Default)]
struct Kept {
    by_id: BTreeMap<u32, Arc<Schema>>,
    /// By subject, with the time until which they are taken for the latest.
    latest: BTreeMap<String, (Registered, Instant)>,
}

/// What the registry says of a schema.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    id: u32,
    schema: String,
}

impl Registry {
    /// None if there is no registry.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub(crate) fn new(metadata: &SchemaMetadata) -> Result<Option<Self>> {
        let url = metadata.schema_registry_url.trim_end_matches('/').to_owned();
        if url.is_empty() {
            return Ok(None);
        }
        let is_usable = |url: &Uri| matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some();
        if !url.parse::<Uri>().is_ok_and(|url| is_usable(&url)) {
            return Err(Error::invalid("schemaRegistryURL is no address such as http://127.0.0.1:8081"));
        }
        Ok(Some(Self {
            url,
            authorization: authorization(&metadata.schema_registry_api_key, &metadata.schema_registry_api_secret)?,
            http: OnceCell::new(),
            keeps: metadata.schema_caching_enabled,
            latest_for: metadata.schema_latest_version_cache_ttl.0,
            kept: Mutex::default(),
        }))
    }

    /// The latest schema of the values of a topic.
    ///
    /// # Errors
    /// The registry cannot be reached, or has none.
    pub(crate) async fn latest(&self, topic: &str) -> Result<Registered> {
        let subject = format!("{topic}-value");
        let known = self.kept().latest.get(&subject).cloned();
        if let Some((known, until)) = known
            && until > Instant::now()
        {
            return Ok(known);
        }
        let escaped = utf8_percent_encode(&subject, NON_ALPHANUMERIC);
        let answer: Answer = self.get(&format!("/subjects/{escaped}/versions/latest")).await?;
        let found = Registered { id: answer.id, schema: Arc::new(Schema::parse(&answer.schema)?) };
        if self.keeps {
            let mut kept = self.kept();
            kept.make_room();
            kept.latest.insert(subject, (found.clone(), Instant::now() + self.latest_for));
        }
        Ok(found)
    }

    /// The schema of that number.
    ///
    /// # Errors
    /// The registry cannot be reached, or has none.
    pub(crate) async fn by_id(&self, id: u32) -> Result<Arc<Schema>> {
        let known = self.kept().by_id.get(&id).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let answer: Answer = self.get(&format!("/schemas/ids/{id}")).await?;
        let found = Arc::new(Schema::parse(&answer.schema)?);
        if self.keeps {
            let mut kept = self.kept();
            kept.make_room();
            kept.by_id.insert(id, Arc::clone(&found));
        }
        Ok(found)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let mut request = Request::get(format!("{}{path}", self.url));
        request = request.header(ACCEPT, "application/vnd.schemaregistry.v1+json");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Bytes::new());
        let request = request.map_err(|error| Error::invalid("schemaRegistryURL is no URL").with_source(error))?;
        let http = self.http.get_or_try_init(|| async { crate::http::client("", false) }).await?;
        let response = http.send(request).await?;
        if response.status() != StatusCode::OK {
            return Err(refusal(response.status(), path));
        }
        let answer = serde_json::from_slice(response.body());
        answer.map_err(|_| Error::other("the answer of the schema registry has no schema; check schemaRegistryURL"))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn make_room(&mut self) {
        if self.by_id.len() + self.latest.len() >= MOST {
            *self = Self::default();
        }
    }
}

fn authorization(key: &str, secret: &Secret) -> Result<Option<HeaderValue>> {
    if key.is_empty() {
        return Ok(None);
    }
    let pair = STANDARD.encode(format!("{key}:{}", secret.expose()));
    let value = HeaderValue::try_from(format!("Basic {pair}"));
    let mut value = value.map_err(|_| Error::invalid("schemaRegistryAPISecret cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn refusal(status: StatusCode, path: &str) -> Error {
    let (kind, advice) = match status {
        StatusCode::NOT_FOUND => (Kind::NotFound, "; register the schema, its subject is the topic and '-value'"),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            (Kind::Denied, "; check schemaRegistryAPIKey and schemaRegistryAPISecret")
        }
        status if status.is_server_error() => (Kind::Unavailable, ""),
        _ => (Kind::Other, ""),
    };
    Error::new(kind, format!("the schema registry answered {} for {path}{advice}", status.as_u16()))
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registry").field(&self.url).finish()
    }
}
