//! A set of keys, and where it comes from.
use crate::SCOPE;
use crate::jwk;
use crate::key::Key;
use crate::provider::{Source, not_found};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use bytes::Bytes;
use component_api::{Error, Result};
use foundation_fetch::{Client, Limits, trust};
use http::{Request, Uri};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Most bytes of a set that is fetched.
const LIMIT: usize = 4 << 20;

/// Where a set comes from.
pub(crate) enum Location {
    Inline(String),
    File(PathBuf),
    Url(Box<Remote>),
}

/// A set behind a URL.
pub(crate) struct Remote {
    url: Uri,
    client: Client,
    interval: Duration,
}

impl Location {
    /// What the metadata means.
    pub(crate) async fn of(text: &str, timeout: Duration, interval: Duration) -> Result<Self> {
        if text.starts_with("https://") || text.starts_with("http://") {
            if text.starts_with("http://") {
                tracing::warn!(target: SCOPE, "the JWKS is fetched without TLS: use https where others are on the network");
            }
            return Ok(Self::Url(Box::new(Remote::new(text, timeout, interval)?)));
        }
        match tokio::fs::metadata(text).await {
            Ok(found) if found.is_file() => Ok(Self::File(text.into())),
            _ => Ok(Self::Inline(text.to_owned())),
        }
    }
}

impl Remote {
    fn new(url: &str, timeout: Duration, interval: Duration) -> Result<Self> {
        let url = url.parse().map_err(|_| Error::invalid("jwks is no valid URL"))?;
        let client = Client::new(trust::only(trust::system())?, Limits { patience: timeout, largest: LIMIT });
        Ok(Self { url, client, interval })
    }

    async fn fetch(&self) -> Result<Bytes> {
        let mut request = Request::new(Bytes::new());
        request.uri_mut().clone_from(&self.url);
        let failed = |error: Error| Error::new(error.kind(), format!("failed to fetch JWKS: {error}"));
        let response = self.client.send(request).await.map_err(|error| failed(error.into()))?;
        if !response.status().is_success() {
            return Err(Error::other(format!("failed to fetch JWKS: status {}", response.status().as_u16())));
        }
        Ok(response.into_body())
    }
}

/// A set that follows its location.
pub(crate) struct Set {
    location: Location,
    content: ArcSwap<Content>,
}

/// What was read.
#[derive(Clone)]
struct Content {
    keys: HashMap<String, Arc<Key>>,
    /// When it was looked for.
    at: Instant,
    /// When the file was changed.
    changed: Option<SystemTime>,
}

impl Set {
    /// Reads the set for the first time.
    pub(crate) async fn read(location: Location) -> Result<Self> {
        let content = ArcSwap::from_pointee(Content::of(&location).await?);
        Ok(Self { location, content })
    }

    /// The content, read again if it is old; where that fails it stays as it was.
    async fn current(&self) -> Arc<Content> {
        let content = self.content.load_full();
        if !content.is_old(&self.location).await {
            return content;
        }
        // Others go on with the old one meanwhile.
        self.content.store(Arc::new(Content { at: Instant::now(), ..Content::clone(&content) }));
        match Content::of(&self.location).await {
            Ok(fresh) => self.content.store(Arc::new(fresh)),
            Err(error) => tracing::warn!(target: SCOPE, "the JWKS stays as it was: {error}"),
        }
        self.content.load_full()
    }
}

impl Content {
    async fn of(location: &Location) -> Result<Self> {
        let (at, mut modified) = (Instant::now(), None);
        let keys = match location {
            Location::Inline(text) => keys(&inline(text))?,
            Location::File(path) => {
                modified = changed(path).await;
                let text = tokio::fs::read(path).await;
                keys(&text.map_err(|error| Error::other("failed to read JWKS file").with_source(error))?)?
            }
            Location::Url(remote) => keys(&remote.fetch().await?)?,
        };
        Ok(Self { keys, at, changed: modified })
    }

    async fn is_old(&self, location: &Location) -> bool {
        match location {
            Location::Inline(_) => false,
            Location::File(path) => changed(path).await != self.changed,
            Location::Url(remote) => self.at.elapsed() >= remote.interval,
        }
    }
}

#[async_trait]
impl Source for Set {
    async fn key(&self, name: &str) -> Result<Arc<Key>> {
        self.current().await.keys.get(name).cloned().ok_or_else(not_found)
    }
}

async fn changed(path: &PathBuf) -> Option<SystemTime> {
    tokio::fs::metadata(path).await.ok()?.modified().ok()
}

fn inline(text: &str) -> Vec<u8> {
    let decoded = BASE64_STANDARD_NO_PAD.decode(text.trim_end_matches('='));
    decoded.unwrap_or_else(|_| text.as_bytes().to_vec())
}

fn keys(json: &[u8]) -> Result<HashMap<String, Arc<Key>>> {
    let reason = "failed to parse the JWKS: give a URL, the path of a file, or a set as JSON (plain or in Base64)";
    let keys = jwk::read_set(json).map_err(|_| Error::invalid(reason))?;
    Ok(keys.into_iter().map(|(id, key)| (id, Arc::new(key))).collect())
}
