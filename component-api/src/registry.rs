//! Which component types this build has, and how to make one of each.
use crate::{
    Error, Properties, Result, binding, configuration, conversation, crypto, lock, middleware, naming, pubsub, secret,
    state,
};
use foundation_metadata::meant;
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

/// Maturity of a component type, as Dapr's component reference names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Alpha,
    Beta,
    Stable,
}

/// What a component type is, for the registry and the reference documentation.
#[derive(Clone, Debug)]
pub struct Descriptor {
    /// Name without the kind, such as `redis`, followed by its aliases.
    pub names: &'static [&'static str],
    /// Versions that it answers to; the first one is the default.
    pub versions: &'static [&'static str],
    pub status: Status,
    /// One sentence for the reference documentation.
    pub summary: &'static str,
    /// JSON schema of the metadata.
    pub schema: fn() -> schemars::Schema,
}

/// What a component is made from.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of the resource.
    pub name: String,
    /// Id of the app that the sidecar belongs to.
    pub app_id: String,
    /// Namespace of the app; empty when there is none.
    pub namespace: String,
    /// Version asked for, such as `v1`.
    pub version: String,
    /// Metadata with secrets resolved and templates filled.
    pub properties: Properties,
}

/// Makes components of one type.
pub type Factory<T> = Arc<dyn Fn(Config) -> BoxFuture<'static, Result<Arc<T>>> + Send + Sync>;

/// What was found for a type and version.
pub enum Lookup<T: ?Sized> {
    Found(Factory<T>),
    /// No such type in this build.
    UnknownType,
    /// The type exists, but not in that version.
    UnknownVersion,
}

/// The component types of one kind, such as all state stores.
pub struct Table<T: ?Sized> {
    entries: Vec<(Descriptor, Factory<T>)>,
    by_name: BTreeMap<&'static str, usize>,
    /// Types that are not part of the build but were found on the machine.
    found: BTreeMap<String, Factory<T>>,
}

impl<T: ?Sized + 'static> Table<T> {
    /// Adds a type with the function that makes one.
    pub fn add<F, Fut>(&mut self, descriptor: Descriptor, make: F)
    where
        F: Fn(Config) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Arc<T>>> + Send + 'static,
    {
        for name in descriptor.names {
            self.by_name.insert(name, self.entries.len());
        }
        self.entries.push((descriptor, Arc::new(move |config| Box::pin(make(config)))));
    }

    /// Adds a type that was found on the machine. It has one version and goes before one of the build.
    pub fn add_found<F, Fut>(&mut self, name: &str, make: F)
    where
        F: Fn(Config) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Arc<T>>> + Send + 'static,
    {
        self.found.insert(name.to_lowercase(), Arc::new(move |config| Box::pin(make(config))));
    }

    /// The factory of a type (without the kind) and version. An empty version, and `v0` for `v1`, mean the default.
    pub fn find(&self, name: &str, version: &str) -> Lookup<T> {
        let (name, version) = (name.to_lowercase(), version.to_lowercase());
        let wanted = if version == "v0" { "v1" } else { version.as_str() };
        let fits = |versions: &[&str]| wanted.is_empty() || versions.contains(&wanted);
        if let Some(factory) = self.found.get(&name) {
            return if fits(&["v1"]) { Lookup::Found(Arc::clone(factory)) } else { Lookup::UnknownVersion };
        }
        match self.by_name.get(name.as_str()).map(|index| &self.entries[*index]) {
            Some((descriptor, factory)) if fits(descriptor.versions) => Lookup::Found(Arc::clone(factory)),
            Some(_) => Lookup::UnknownVersion,
            None => Lookup::UnknownType,
        }
    }

    /// Metadata that a type of the build does not have but whose names are nearly those that it has: each name with the
    /// one that was probably meant.
    pub fn misspelt(&self, name: &str, properties: &Properties) -> Vec<(String, String)> {
        let Some(index) = self.by_name.get(name.to_lowercase().as_str()) else { return Vec::new() };
        let schema = (self.entries[*index].0.schema)();
        let Some(known) = schema.get("properties").and_then(Value::as_object) else { return Vec::new() };
        let meant = |given: &str| meant(given, known.keys().map(String::as_str)).map(str::to_owned);
        properties.iter().filter_map(|(given, _)| Some((given.to_owned(), meant(given)?))).collect()
    }

    /// The type that was probably meant by a name that is none; none when it is like no other.
    pub fn meant(&self, name: &str) -> Option<&str> {
        meant(name, self.by_name.keys().copied().chain(self.found.keys().map(String::as_str)))
    }

    /// All types, in the order they were added.
    pub fn descriptors(&self) -> impl Iterator<Item = &Descriptor> {
        self.entries.iter().map(|(descriptor, _)| descriptor)
    }
}

impl<T: ?Sized> Default for Table<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), by_name: BTreeMap::new(), found: BTreeMap::new() }
    }
}

/// All component types of this build.
#[derive(Default)]
pub struct Registry {
    pub state: Table<dyn state::Store>,
    pub pubsub: Table<dyn pubsub::Broker>,
    pub secret: Table<dyn secret::Store>,
    pub binding: Table<dyn binding::Binding>,
    pub configuration: Table<dyn configuration::Store>,
    pub lock: Table<dyn lock::Store>,
    pub crypto: Table<dyn crypto::Keys>,
    pub conversation: Table<dyn conversation::Model>,
    pub middleware: Table<dyn middleware::Http>,
    pub naming: Table<dyn naming::Resolver>,
}

impl<T: ?Sized> Lookup<T> {
    /// The factory, or an error that says what to do about a component of type `kind`, such as `state.redis`.
    ///
    /// # Errors
    /// The type is not in this build, or not in this version.
    pub fn or_error(self, kind: &str, version: &str) -> Result<Factory<T>> {
        match self {
            Self::Found(factory) => Ok(factory),
            Self::UnknownType => Err(unknown_type()),
            Self::UnknownVersion => {
                Err(Error::unsupported(format!("{kind} has no version {version}; check spec.version")))
            }
        }
    }
}

/// What to do about a type that no table has.
pub fn unknown_type() -> Error {
    Error::unsupported(
        "this build does not have it; check spec.type for a typing error against docs/components.md, which has all types and the \
         cargo features that some need",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_with_typing_errors_is_named_with_what_was_meant() {
        let mut table: Table<dyn lock::Store> = Table::default();
        let schema = || schemars::json_schema!({"properties": {"redisHost": {}, "redisPassword": {}}});
        let (names, versions) = (&["redis"][..], &["v1"][..]);
        let descriptor = Descriptor { names, versions, status: Status::Stable, summary: "", schema };
        table.add(descriptor, |_| async { Err(unknown_type()) });
        let given = [("redisHots", ""), ("REDISPASSWORD", ""), ("somethingElse", "")];
        let properties: Properties = given.into_iter().collect();
        assert_eq!(table.misspelt("Redis", &properties), [("redisHots".to_owned(), "redisHost".to_owned())]);
        assert!(table.misspelt("other", &properties).is_empty());
        assert_eq!([table.meant("rediss"), table.meant("redis"), table.meant("sqlite")], [Some("redis"), None, None]);
    }
}
