//! Values of metadata: secrets, environment variables, templates (surface.md 3.1).
use crate::options::Environment;
use crate::resources::{Component, Item};
use component_api::{Live, Metadata, Properties, secret};
use std::collections::HashMap;

const SCOPE: &str = "dapr.runtime.processor.secret";

/// What values of metadata may refer to.
#[derive(Clone, Debug)]
pub struct Values {
    app_id: String,
    environment: Environment,
}

type Secrets = HashMap<String, secret::Secret>;

impl Values {
    /// For components of this app.
    pub fn new(app_id: &str, environment: Environment) -> Self {
        Self { app_id: app_id.to_owned(), environment }
    }

    pub(crate) fn app_id(&self) -> &str {
        &self.app_id
    }

    pub(crate) fn namespace(&self) -> &str {
        self.environment.namespace()
    }

    /// The metadata of a component with secrets and environment variables; none when its secret store does not run, for
    /// which Dapr waits.
    pub(crate) async fn resolve(&self, component: &Component, stores: &Live<dyn secret::Store>) -> Option<Properties> {
        let mut known = Secrets::new();
        let mut pairs = Vec::with_capacity(component.metadata.len());
        for item in &component.metadata {
            let value = match &item.secret {
                Some(reference) => self.secret(component, reference, stores, &mut known).await?,
                None => self.plain(component, item),
            };
            pairs.push((item.name.clone(), value));
        }
        Some(pairs.into_iter().collect())
    }

    /// The same metadata with templates filled in.
    pub(crate) fn fill_all(&self, properties: &Properties) -> Result<Properties, String> {
        let pairs = properties.iter().map(|(name, value)| Ok((name.to_owned(), self.fill(name, value.to_owned())?)));
        pairs.collect::<Result<Vec<_>, String>>().map(|pairs| pairs.into_iter().collect())
    }

    fn plain(&self, component: &Component, item: &Item) -> String {
        let own = item.value.clone().unwrap_or_default();
        let Some(name) = item.environment.as_deref().filter(|_| own.is_empty()) else { return own };
        if self.is_allowed(name) {
            return self.environment.get(name).unwrap_or_default().to_owned();
        }
        let component = &component.name;
        tracing::warn!(target: SCOPE, "Component {component} references an env variable that isn't allowed: {name}");
        own
    }

    async fn secret(
        &self,
        component: &Component,
        (name, key): &(String, String),
        stores: &Live<dyn secret::Store>,
        known: &mut Secrets,
    ) -> Option<String> {
        let Some(store) = stores.get(&component.secret_store) else {
            let (component, store) = (&component.name, &component.secret_store);
            tracing::warn!(target: SCOPE, "Component {component} references a secret store that isn't loaded: {store}");
            return None;
        };
        if !known.contains_key(name) {
            let metadata = Metadata::from([("namespace".to_owned(), component.namespace.clone())]);
            match store.component.get(name, &metadata).await {
                Ok(secret) => drop(known.insert(name.clone(), secret)),
                Err(error) => tracing::error!(target: SCOPE, "Error getting secret: {error}"),
            }
        }
        Some(known.get(name).and_then(|secret| secret.get(key)).cloned().unwrap_or_default())
    }

    fn is_allowed(&self, name: &str) -> bool {
        let name = name.to_uppercase();
        if name.is_empty() || name == "APP_API_TOKEN" || name.starts_with("DAPR_") || name.contains(' ') {
            return false;
        }
        let list = self.environment.filled("DAPR_ENV_KEYS");
        list.is_none_or(|list| list.split(' ').any(|allowed| allowed == name))
    }

    fn fill(&self, name: &str, mut value: String) -> Result<String, String> {
        if !value.contains('{') {
            return Ok(value);
        }
        while value.contains("{uuid}") {
            value = value.replacen("{uuid}", &uuid::Uuid::new_v4().to_string(), 1);
        }
        if value.contains("{podName}") {
            let unset =
                || format!("failed to parse metadata: property {name} refers to {{podName}} but podName is not set");
            value = value.replace("{podName}", self.environment.filled("POD_NAME").ok_or_else(unset)?);
        }
        let namespace = format!("{}.{}", self.environment.namespace(), self.app_id);
        Ok(value.replace("{namespace}", &namespace).replace("{appID}", &self.app_id))
    }
}
