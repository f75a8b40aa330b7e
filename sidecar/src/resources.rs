//! Resources from files: the part of their fields that this build reads (surface.md 3.1 to 3.4).
mod configuration;
mod document;
mod metrics;

pub use configuration::{Configuration, Naming};

use block_invoke::HttpEndpoint;
use block_pubsub::Declared;
use document::Document;
use foundation_app::{BulkSubscribe, Rule, Subscription};
use foundation_resources::Resiliency;
use http::{HeaderName, HeaderValue};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

const INIT_TIMEOUT: Duration = Duration::from_secs(5);

/// All resources that are meant for this app.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    pub components: Vec<Component>,
    pub subscriptions: Vec<Declared>,
    pub http_endpoints: BTreeMap<String, HttpEndpoint>,
    pub resiliencies: Vec<Resiliency>,
}

/// A Component resource.
#[derive(Clone, Debug, Default)]
pub struct Component {
    pub name: String,
    pub namespace: String,
    /// Full type, such as `state.redis`.
    pub kind: String,
    pub version: String,
    pub ignore_errors: bool,
    pub init_timeout: Duration,
    pub secret_store: String,
    pub metadata: Vec<Item>,
}

/// A pair of a component's metadata, and where its value comes from.
#[derive(Clone, Debug, Default)]
pub struct Item {
    pub name: String,
    pub value: Option<String>,
    /// Name and key in the secret store.
    pub secret: Option<(String, String)>,
    pub environment: Option<String>,
}

/// Who reads resources.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    pub app_id: &'a str,
    /// Empty takes resources of all namespaces.
    pub namespace: &'a str,
}

impl Component {
    /// The component as log lines name it.
    pub fn log_name(&self) -> String {
        format!("{} ({}/{})", self.name, self.kind, self.version)
    }
}

impl Resources {
    /// Reads all folders.
    ///
    /// # Errors
    /// A folder that cannot be read, or two components of one name.
    pub fn load(folders: &[PathBuf], reader: Reader<'_>) -> Result<Self, String> {
        let mut resources = Self::default();
        let mut taken: BTreeMap<(&'static str, String), String> = BTreeMap::new();
        let mut twice = Vec::new();
        for document in documents(folders)? {
            if !document.is_for(reader) {
                continue;
            }
            let Some(kind) = resources.kind(&document) else { continue };
            let (name, log_name) = (document.name(), document.log_name());
            if let Some(known) = taken.get(&(kind, name.clone())) {
                twice.push(format!("duplicate definition of {kind} name {log_name} with existing {known}"));
            } else if document.is_scoped_to(reader.app_id) {
                taken.insert((kind, name), log_name);
                resources.take(kind, &document);
            }
        }
        if twice.is_empty() { Ok(resources) } else { Err(twice.join("\n")) }
    }

    fn kind(&self, document: &Document) -> Option<&'static str> {
        let known = ["Component", "Subscription", "HTTPEndpoint", "Resiliency"];
        known.into_iter().find(|kind| document.kind() == *kind)
    }

    fn take(&mut self, kind: &str, document: &Document) {
        match kind {
            "Component" => self.components.push(component(document)),
            "Subscription" => self.subscriptions.extend(subscription(document)),
            "HTTPEndpoint" => drop(self.http_endpoints.insert(document.name(), endpoint(document))),
            _ => self.resiliencies.extend(resiliency(document)),
        }
    }
}

fn documents(folders: &[PathBuf]) -> Result<Vec<Document>, String> {
    let mut all = Vec::new();
    for folder in folders {
        for file in files(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
            match std::fs::read_to_string(&file) {
                Ok(text) => all.extend(Document::parse(&text, &file)),
                Err(error) => tracing::warn!(target: "dapr.runtime", "error reading {}: {error}", file.display()),
            }
        }
    }
    Ok(all)
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let paths = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let yaml = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    let mut files: Vec<_> = paths.filter(yaml).collect();
    files.sort();
    Ok(files)
}

fn component(document: &Document) -> Component {
    let spec = document.spec();
    let item = |item: Document| {
        let secret = item.get("secretKeyRef");
        let (name, key) = (secret.text("name"), secret.text("key"));
        let key = if key.is_empty() { name.clone() } else { key };
        Item {
            name: item.text("name"),
            value: item.scalar("value"),
            secret: (!name.is_empty()).then_some((name, key)),
            environment: Some(item.text("envRef")).filter(|name| !name.is_empty()),
        }
    };
    Component {
        name: document.name(),
        namespace: document.namespace(),
        kind: spec.text("type"),
        version: spec.text("version"),
        ignore_errors: spec.bool("ignoreErrors"),
        init_timeout: foundation_metadata::duration::parse(&spec.text("initTimeout")).unwrap_or(INIT_TIMEOUT),
        secret_store: document.get("auth").text("secretStore"),
        metadata: spec.list("metadata").into_iter().map(item).collect(),
    }
}

fn subscription(document: &Document) -> Option<Declared> {
    let spec = document.spec();
    let bulk = spec.get("bulkSubscribe");
    let old = document.text("apiVersion").ends_with("v1alpha1");
    let rules = if old { vec![rule("", spec.text("route"))] } else { rules(&spec.get("routes")) };
    let subscription = Subscription {
        pubsub: spec.text("pubsubname"),
        topic: spec.text("topic"),
        dead_letter_topic: spec.text("deadLetterTopic"),
        metadata: spec.texts("metadata"),
        rules,
        bulk: bulk.bool("enabled").then(|| BulkSubscribe {
            enabled: true,
            max_messages_count: bulk.int("maxMessagesCount"),
            max_await_duration_ms: bulk.int("maxAwaitDurationMs"),
        }),
    };
    Some(Declared { name: document.name(), subscription })
}

fn rules(routes: &Document) -> Vec<Rule> {
    let written = |one: Document| rule(&one.text("match"), one.text("path"));
    let mut rules: Vec<_> = routes.list("rules").into_iter().map(written).collect();
    let default = Some(routes.text("default")).filter(|path| !path.is_empty());
    rules.extend(default.map(|path| rule("", path)));
    rules
}

fn rule(expression: &str, path: String) -> Rule {
    let expression = Some(expression.trim()).filter(|expression| !expression.is_empty());
    Rule { expression: expression.map(str::to_owned), path }
}

fn resiliency(document: &Document) -> Option<Resiliency> {
    let failed = |error: &foundation_resources::DecodeError| {
        tracing::error!(target: "dapr.runtime", "Could not parse resiliency file {}: {error}", document.name());
    };
    foundation_resources::decode(document.value()).inspect_err(failed).ok()
}

fn endpoint(document: &Document) -> HttpEndpoint {
    let spec = document.spec();
    let header = |item: Document| {
        let name = HeaderName::try_from(item.text("name")).ok()?;
        Some((name, HeaderValue::try_from(item.scalar("value")?).ok()?))
    };
    HttpEndpoint {
        base_url: spec.text("baseUrl"),
        headers: spec.list("headers").into_iter().filter_map(header).collect(),
    }
}
