//! Values of resources: secrets, environment variables, templates (surface.md 3.1).
use crate::options::Environment;
use component_api::{Live, Metadata, Properties, secret};
use foundation_resources::{Component, HttpEndpoint, NameValue, Resource, SecretKeyRef};
use std::collections::HashMap;

const SCOPE: &str = "dapr.runtime.processor.secret";

/// What values of resources may refer to.
#[derive(Clone, Debug)]
pub struct Values {
    app_id: String,
    environment: Environment,
}

/// The name of a secret store that does not run (yet).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unready(pub(crate) String);

/// A resource that has values.
struct Owner<'a> {
    kind: &'static str,
    name: &'a str,
    namespace: &'a str,
    /// Name of its secret store; empty is none.
    store: &'a str,
}

impl<'a> Owner<'a> {
    fn of<T: Resource>(resource: &'a T, store: &'a str) -> Self {
        let metadata = resource.metadata();
        Self { kind: T::KIND, name: &metadata.name, namespace: &metadata.namespace, store }
    }
}

type Stores = Live<dyn secret::Store>;

impl Values {
    /// For resources of this app.
    pub fn new(app_id: &str, environment: Environment) -> Self {
        Self { app_id: app_id.to_owned(), environment }
    }

    pub(crate) fn app_id(&self) -> &str {
        &self.app_id
    }

    pub(crate) fn namespace(&self) -> &str {
        self.environment.namespace()
    }

    /// The metadata of a component with secrets and environment variables.
    ///
    /// # Errors
    /// Its secret store does not run, for which Dapr waits.
    pub(crate) async fn of_component(&self, component: &Component, stores: &Stores) -> Result<Properties, Unready> {
        let owner = Owner::of(component, &component.auth.secret_store);
        let pairs = self.resolve(&owner, &component.spec.metadata, stores).await?;
        let secrets = component.spec.metadata.iter().filter_map(|item| Some((&item.name, &item.secret()?.name)));
        let properties: Properties = pairs.into_iter().collect();
        Ok(secrets.fold(properties, |properties, (name, secret)| properties.taken_from(name, secret)))
    }

    /// Values of an endpoint, such as its headers; those whose secret cannot be had are what is written, or empty.
    pub(crate) async fn of_endpoint(
        &self,
        endpoint: &HttpEndpoint,
        values: &[NameValue],
        stores: &Stores,
    ) -> Vec<(String, String)> {
        let owner = Owner::of(endpoint, &endpoint.auth.secret_store);
        let written = |value: &NameValue| (value.name.clone(), value.text().unwrap_or_default());
        let resolved = self.resolve(&owner, values, stores).await;
        resolved.unwrap_or_else(|_| values.iter().map(written).collect())
    }

    /// The same metadata with templates filled in.
    pub(crate) fn fill_all(&self, properties: &Properties) -> Result<Properties, String> {
        let pairs = properties.iter().map(|(name, value)| Ok((name.to_owned(), self.fill(name, value.to_owned())?)));
        pairs.collect::<Result<Vec<_>, String>>().map(|pairs| pairs.into_iter().collect())
    }

    async fn resolve(
        &self,
        owner: &Owner<'_>,
        values: &[NameValue],
        stores: &Stores,
    ) -> Result<Vec<(String, String)>, Unready> {
        let mut known = HashMap::new();
        let mut pairs = Vec::with_capacity(values.len());
        for item in values {
            let value = match item.secret() {
                _ if item.value.is_none() && !item.env_ref.is_empty() => self.variable(owner, &item.env_ref),
                Some(reference) => secret(owner, reference, stores, &mut known).await?.or_else(|| item.text()),
                None => item.text(),
            };
            pairs.push((item.name.clone(), value.unwrap_or_default()));
        }
        Ok(pairs)
    }

    fn variable(&self, owner: &Owner<'_>, variable: &str) -> Option<String> {
        if self.is_allowed(variable) {
            return self.environment.get(variable).map(str::to_owned);
        }
        let Owner { kind, name, .. } = owner;
        tracing::warn!(target: SCOPE, "{kind} {name} references an env variable that isn't allowed: {variable}");
        None
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

/// The value of a secret; none when it cannot be had. Each secret is asked for once.
async fn secret(
    owner: &Owner<'_>,
    reference: &SecretKeyRef,
    stores: &Stores,
    known: &mut HashMap<String, secret::Secret>,
) -> Result<Option<String>, Unready> {
    let Owner { kind, name, namespace, store } = owner;
    let Some(found) = stores.get(store) else {
        tracing::warn!(target: SCOPE, "{kind} {name} references a secret store that isn't loaded: {store}");
        return if store.is_empty() { Ok(None) } else { Err(Unready((*store).to_owned())) };
    };
    if !known.contains_key(&reference.name) {
        let metadata = Metadata::from([("namespace".to_owned(), (*namespace).to_owned())]);
        match found.component.get(&reference.name, &metadata).await {
            Ok(secret) => drop(known.insert(reference.name.clone(), secret)),
            Err(error) => tracing::error!(target: SCOPE, "Error getting secret: {error}"),
        }
    }
    Ok(known.get(&reference.name).and_then(|secret| secret.get(reference.key())).cloned())
}

#[cfg(test)]
mod tests;
