//! `secretstores.local.file`: secrets in a JSON file.
use async_trait::async_trait;
use component_api::secret::{Features, Secret, Store};
use component_api::{Config, Descriptor, Error, Kind, Metadata, Registry, Result, Status};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Makes the component known.
pub fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["local.file"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "A JSON file with secrets in clear text, for development.",
        schema: || schemars::schema_for!(Settings),
    };
    registry.secret.add(descriptor, async |config: Config| {
        let store: Arc<dyn Store> = Arc::new(FileStore::open(config.properties.decode()?).await?);
        Ok(store)
    });
}

/// Metadata of `secretstores.local.file`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Required. Path of the file, which holds a JSON object. It is read once, when the component starts.
    pub secrets_file: String,
    /// Between the names of nested members.
    pub nested_separator: String,
    /// Keep each object of the top level together as one secret with several values.
    pub multi_valued: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { secrets_file: String::new(), nested_separator: ":".to_owned(), multi_valued: false }
    }
}

/// Secrets of a file.
pub struct FileStore {
    multiple_values: bool,
    secrets: BTreeMap<String, Secret>,
}

impl FileStore {
    /// Reads the file.
    ///
    /// # Errors
    /// No `secretsFile`, a file that cannot be read or that holds no JSON object. The text never shows what is in the file.
    pub async fn open(settings: Settings) -> Result<Self> {
        let path = &settings.secrets_file;
        if path.is_empty() {
            return Err(Error::invalid("missing local secrets file in metadata"));
        }
        let unreadable = |error: std::io::Error| Error::new(Kind::Unavailable, format!("cannot read {path}: {error}"));
        let text = tokio::fs::read(path).await.map_err(unreadable)?;
        let content: Map<String, Value> = serde_json::from_slice(&text).map_err(|error| undecoded(path, &error))?;
        let (multiple_values, separator) = (settings.multi_valued, &settings.nested_separator);
        let secrets = if multiple_values { grouped(content, separator) } else { single(flat(content, separator)) };
        Ok(Self { multiple_values, secrets })
    }
}

#[async_trait]
impl Store for FileStore {
    fn features(&self) -> Features {
        Features { multiple_values: self.multiple_values }
    }

    async fn get(&self, name: &str, _: &Metadata) -> Result<Secret> {
        let missing = || Error::new(Kind::NotFound, format!("secret {name} not found"));
        self.secrets.get(name).cloned().ok_or_else(missing)
    }

    async fn bulk_get(&self, _: &Metadata) -> Result<BTreeMap<String, Secret>> {
        Ok(self.secrets.clone())
    }
}

/// The place of the error without the decoder's own words, which may quote the file.
fn undecoded(path: &str, error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    Error::invalid(format!("{path} is not a JSON object: look at line {line}, column {column}"))
}

/// Each string and each object of the top level is a secret; other values are left out, as Dapr does.
fn grouped(content: Map<String, Value>, separator: &str) -> BTreeMap<String, Secret> {
    let secret = |(name, value): (String, Value)| match value {
        Value::String(text) => Some((name.clone(), Secret::from([(name, text)]))),
        Value::Object(members) => Some((name, flat(members, separator))),
        _ => None,
    };
    content.into_iter().filter_map(secret).collect()
}

fn single(values: BTreeMap<String, String>) -> BTreeMap<String, Secret> {
    values.into_iter().map(|(name, value)| (name.clone(), Secret::from([(name, value)]))).collect()
}

/// All values that have no members, by their path.
fn flat(members: Map<String, Value>, separator: &str) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    members.into_iter().for_each(|(name, value)| collect(name, value, separator, &mut values));
    values
}

fn collect(path: String, value: Value, separator: &str, values: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            members
                .into_iter()
                .for_each(|(name, value)| collect(join(&path, separator, &name), value, separator, values));
        }
        Value::Array(items) => {
            let items = items.into_iter().enumerate();
            items.for_each(|(index, value)| {
                collect(join(&path, separator, &index.to_string()), value, separator, values)
            });
        }
        Value::String(text) => drop(values.insert(path, text)),
        other => drop(values.insert(path, other.to_string())),
    }
}

fn join(path: &str, separator: &str, name: &str) -> String {
    format!("{path}{separator}{name}")
}

#[cfg(test)]
mod tests;
