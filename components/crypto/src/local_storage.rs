//! `crypto.dapr.localstorage`: keys in the files of a folder.
use crate::key::Key;
use crate::parse::{self, Form};
use crate::provider::{Provider, Source};
use async_trait::async_trait;
use component_api::crypto::Keys;
use component_api::{Config, Descriptor, Error, Kind, Registry, Result, Status};
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Keys in the files of a folder, by the names of the files.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Metadata {
    /// The folder. A key is a file in it: a JSON Web Key (`.json`), PEM (`.pem`: PKCS#8, PKCS#1, SEC 1 or a public key), or
    /// the bytes of a symmetric key, plain or in Base64. Files are read when their keys are used.
    pub(crate) path: PathBuf,
}

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["dapr.localstorage"],
        versions: &["v1"],
        status: Status::Alpha,
        summary: "Keys in local files.",
        schema: || schema_for!(Metadata),
    };
    registry.crypto.add(descriptor, make);
}

async fn make(config: Config) -> Result<Arc<dyn Keys>> {
    let Metadata { path } = config.properties.decode()?;
    if path.as_os_str().is_empty() {
        return Err(invalid("metadata property 'path' is required"));
    }
    let shown = path.display();
    let found = tokio::fs::metadata(&path).await;
    let found = found.map_err(|error| invalid(&format!("could not stat path '{shown}': {error}")))?;
    if !found.is_dir() {
        return Err(invalid(&format!("path '{shown}' is not a directory")));
    }
    Ok(Arc::new(Provider(Folder(path))))
}

fn invalid(reason: &str) -> Error {
    Error::invalid(format!("failed to load metadata: {reason}"))
}

struct Folder(PathBuf);

#[async_trait]
impl Source for Folder {
    async fn key(&self, name: &str) -> Result<Arc<Key>> {
        let path = self.0.join(checked(name)?);
        let unread =
            |error: std::io::Error| Error::new(Kind::NotFound, format!("failed to load key '{name}': {error}"));
        let text = zeroize::Zeroizing::new(tokio::fs::read(&path).await.map_err(unread)?);
        let key = parse::key(&text, form(&path));
        key.map(Arc::new).map_err(|problem| Error::invalid(format!("failed to parse key from secret: {problem}")))
    }
}

/// A name that stays in the folder.
fn checked(name: &str) -> Result<&str> {
    if name.contains("..") {
        return Err(Error::invalid("invalid key path: cannot contain '..'"));
    }
    Ok(name.trim_start_matches('/'))
}

fn form(path: &Path) -> Form {
    match path.extension().map(|extension| extension.to_ascii_lowercase()) {
        Some(extension) if extension == "json" => Form::Jwk,
        Some(extension) if extension == "pem" => Form::Pem,
        _ => Form::Unknown,
    }
}
