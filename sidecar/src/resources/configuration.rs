//! Configuration resources (surface.md 3.3): later files win over earlier ones, member by member.
use super::document::Document;
use super::metrics;
use crate::api::CallLog;
use crate::api::access::{Access, Rule};
use crate::options::Environment;
use block_secret::{Access as SecretAccess, Scope, Scopes};
use component_api::middleware::Handler;
use foundation_telemetry::MetricsSettings;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Preview features and whether they are on without a word.
const FEATURES: [(&str, bool); 2] = [("HotReload", true), ("WorkflowsRemoteActivityReminder", true)];

/// What the configuration says.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    /// Features that are on.
    pub features: Vec<String>,
    pub access: Access,
    /// Whether calls of the API are logged, unless the flag says otherwise.
    pub log_calls: bool,
    pub call_log: CallLog,
    /// `type` or `type/version` that must not be loaded.
    pub denied_components: Vec<String>,
    /// None when nothing is counted.
    pub metrics: Option<MetricsSettings>,
    pub naming: Option<Naming>,
    /// Which secrets the app may read.
    pub secret_scopes: Scopes,
    /// `httpPipeline`: what requests at the API pass through.
    pub api_pipeline: Vec<Handler>,
    /// `appHttpPipeline`: what requests to the app pass through.
    pub app_pipeline: Vec<Handler>,
}

/// The name resolver to use.
#[derive(Clone, Debug, Default)]
pub struct Naming {
    pub component: String,
    pub version: String,
    pub configuration: BTreeMap<String, String>,
}

impl Configuration {
    /// Reads files in their order.
    ///
    /// # Errors
    /// A file that is missing or no configuration.
    pub fn load(files: &[String], environment: &Environment) -> Result<Self, String> {
        let mut spec = Value::default();
        for file in files {
            let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
            let text = expand(&text, environment);
            for document in Document::parse(&text, Path::new(file)) {
                merge(&mut spec, document.spec().value());
            }
        }
        Self::read(&Document::of(spec))
    }

    fn read(spec: &Document) -> Result<Self, String> {
        let (api, log) = (spec.get("api"), spec.get("logging").get("apiLogging"));
        Ok(Self {
            features: features(&spec.list("features")),
            access: Access::new(&rules(&api.list("allowed")), &rules(&api.list("denied"))),
            log_calls: log.bool("enabled"),
            call_log: CallLog { obfuscate: log.bool("obfuscateURLs"), omit_health: log.bool("omitHealthChecks") },
            denied_components: spec.get("components").strings("deny"),
            metrics: metrics::settings(spec),
            naming: naming(&spec.get("nameResolution")),
            secret_scopes: secret_scopes(&spec.get("secrets").list("scopes"))?,
            api_pipeline: pipeline(&spec.get("httpPipeline")),
            app_pipeline: pipeline(&spec.get("appHttpPipeline")),
        })
    }

    /// Whether a component may be loaded.
    pub fn allows(&self, kind: &str, version: &str) -> bool {
        let full = format!("{kind}/{version}");
        let same = |denied: &String| denied.eq_ignore_ascii_case(kind) || denied.eq_ignore_ascii_case(&full);
        !self.denied_components.iter().any(same)
    }
}

fn naming(section: &Document) -> Option<Naming> {
    let component = Some(section.text("component")).filter(|component| !component.is_empty())?;
    Some(Naming { component, version: section.text("version"), configuration: section.texts("configuration") })
}

fn secret_scopes(items: &[Document]) -> Result<Scopes, String> {
    let mut scopes = BTreeMap::new();
    for item in items {
        let store = item.text("storeName");
        if scopes.insert(store.clone(), secret_scope(item)).is_some() {
            return Err(format!("{store} storeName is repeated in secrets configuration"));
        }
    }
    Ok(scopes.into_iter().collect())
}

fn secret_scope(item: &Document) -> Scope {
    let denied = item.text("defaultAccess").eq_ignore_ascii_case("deny");
    let set = |name| item.strings(name).into_iter().collect();
    Scope {
        default_access: if denied { SecretAccess::Deny } else { SecretAccess::Allow },
        allowed: set("allowedSecrets"),
        denied: set("deniedSecrets"),
    }
}

fn pipeline(section: &Document) -> Vec<Handler> {
    let handler =
        |item: &Document| Handler { name: item.text("name"), kind: item.text("type"), version: item.text("version") };
    section.list("handlers").iter().map(handler).collect()
}

fn rules(items: &[Document]) -> Vec<Rule> {
    let rule = |item: &Document| Rule {
        name: item.text("name"),
        version: item.text("version"),
        protocol: item.text("protocol"),
    };
    items.iter().map(rule).collect()
}

fn features(items: &[Document]) -> Vec<String> {
    let mut on: BTreeMap<String, bool> = FEATURES.map(|(name, on)| (name.to_owned(), on)).into();
    on.extend(items.iter().map(|item| (item.text("name"), item.bool("enabled"))));
    on.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect()
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// `$NAME` and `${NAME}` stand for environment variables.
fn expand(text: &str, environment: &Environment) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let (name, after) = variable(after);
        match name {
            Some(name) => expanded.push_str(environment.get(name).unwrap_or_default()),
            None => expanded.push('$'),
        }
        rest = after;
    }
    expanded + rest
}

fn variable(text: &str) -> (Option<&str>, &str) {
    if let Some((name, after)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) {
        return (Some(name), after);
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    ((!name.is_empty()).then_some(name), after)
}
