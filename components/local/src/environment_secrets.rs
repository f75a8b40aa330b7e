//! `secretstores.local.env`: the environment variables of the sidecar.
use crate::SCOPE;
use async_trait::async_trait;
use component_api::secret::{Features, Secret, Store};
use component_api::{Config, Descriptor, Metadata, Registry, Result, Status};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Makes the component known.
pub fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["local.env"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "Environment variables of the sidecar, for development.",
        schema: || schemars::schema_for!(Settings),
    };
    registry.secret.add(descriptor, async |config: Config| {
        let store: Arc<dyn Store> = Arc::new(EnvironmentStore::new(config.properties.decode()?));
        Ok(store)
    });
}

/// Metadata of `secretstores.local.env`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Put before the name of a secret to get that of its variable; variables with another beginning cannot be read.
    pub prefix: String,
}

/// Secrets in environment variables. Those of Dapr itself (`DAPR_*`, `APP_API_TOKEN`) cannot be read.
#[derive(Debug)]
pub struct EnvironmentStore {
    settings: Settings,
}

impl EnvironmentStore {
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

#[async_trait]
impl Store for EnvironmentStore {
    fn features(&self) -> Features {
        Features::default()
    }

    /// A variable that is not set or must not be read is empty, as Dapr answers (surface.md 0.25).
    async fn get(&self, name: &str, _: &Metadata) -> Result<Secret> {
        let variable = format!("{}{name}", self.settings.prefix);
        if !is_readable(&variable) {
            tracing::warn!(target: SCOPE, "Access to env var {name} is forbidden");
            return Ok(single(name, String::new()));
        }
        Ok(single(name, std::env::var_os(&variable).map(lossy).unwrap_or_default()))
    }

    async fn bulk_get(&self, _: &Metadata) -> Result<BTreeMap<String, Secret>> {
        let variables = std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value)));
        let named = variables.filter_map(|(variable, value)| {
            let name = self.name_of(&variable)?.to_owned();
            Some((name.clone(), single(&name, value)))
        });
        Ok(named.collect())
    }
}

impl EnvironmentStore {
    /// The secret's name for a variable that may be read.
    fn name_of<'a>(&self, variable: &'a str) -> Option<&'a str> {
        let name = variable.strip_prefix(self.settings.prefix.as_str()).filter(|name| !name.is_empty())?;
        is_readable(variable).then_some(name)
    }
}

fn is_readable(variable: &str) -> bool {
    let variable = variable.to_uppercase();
    variable != "APP_API_TOKEN" && !variable.starts_with("DAPR_")
}

fn lossy(text: std::ffi::OsString) -> String {
    text.to_string_lossy().into_owned()
}

fn single(name: &str, value: String) -> Secret {
    Secret::from([(name.to_owned(), value)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_follows_the_prefix() {
        let store = EnvironmentStore::new(Settings { prefix: "MY_".to_owned() });
        assert_eq!(store.name_of("MY_SECRET"), Some("SECRET"));
        assert_eq!([store.name_of("MY_"), store.name_of("SECRET"), store.name_of("my_secret")], [None; 3]);
        let open = EnvironmentStore::new(Settings::default());
        assert_eq!(open.name_of("PATH"), Some("PATH"));
        assert_eq!([open.name_of("DAPR_API_TOKEN"), open.name_of("app_api_token")], [None; 2]);
    }

    #[tokio::test]
    async fn a_variable_that_is_not_set_or_hidden_is_empty() {
        let store = EnvironmentStore::new(Settings::default());
        for name in ["TRILBY_TEST_NOT_SET", "DAPR_API_TOKEN", "with=sign", ""] {
            assert_eq!(store.get(name, &Metadata::new()).await.unwrap(), single(name, String::new()));
        }
        let all = store.bulk_get(&Metadata::new()).await.unwrap();
        let path = store.get("PATH", &Metadata::new()).await.unwrap();
        assert_eq!(all["PATH"], path);
    }
}
