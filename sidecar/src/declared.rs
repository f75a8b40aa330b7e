//! Resources as the building blocks take them.
use crate::api::CallLog;
use crate::api::access::Access;
use crate::components::{Live, Values};
use block_invoke::ClientTls;
use block_pubsub::Declared;
use block_secret::{Access as SecretAccess, Scope, Scopes};
use component_api::middleware::Handler;
use foundation_app::{BulkSubscribe, Rule, Subscription as Wanted};
use foundation_resources::{
    ApiLogging, ConfigurationSpec, HttpEndpoint, NameResolution, NameValue, Pipeline, SecretScope, Subscription,
    SubscriptionSpec, TlsDocument,
};
use http::{HeaderName, HeaderValue};
use serde_json::Value;
use std::collections::BTreeMap;

const SCOPE: &str = "dapr.runtime";
/// Names of the documents of an endpoint's TLS.
const ROOT: &str = "rootCA";
const CERTIFICATE: &str = "certificate";
const KEY: &str = "privateKey";

/// Which parts of the API are there.
pub(crate) fn access(configuration: &ConfigurationSpec) -> Access {
    let api = configuration.api.clone().unwrap_or_default();
    Access::new(&api.allowed, &api.denied)
}

/// How calls of the API are logged; none when they are not. A flag wins over the configuration.
pub(crate) fn call_log(configuration: &ConfigurationSpec, flag: Option<bool>) -> Option<CallLog> {
    let logging = configuration.logging.clone().unwrap_or_default().api_logging.unwrap_or_default();
    let ApiLogging { enabled, obfuscate_urls: obfuscate, omit_health_checks: omit_health } = logging;
    flag.unwrap_or(enabled).then_some(CallLog { obfuscate, omit_health })
}

/// Which secrets the app may read.
pub(crate) fn secret_scopes(configuration: &ConfigurationSpec) -> Scopes {
    let scopes = configuration.secrets.iter().flat_map(|secrets| &secrets.scopes);
    scopes.map(|scope| (scope.store_name.clone(), secret_scope(scope))).collect()
}

fn secret_scope(scope: &SecretScope) -> Scope {
    let denied = scope.default_access.eq_ignore_ascii_case("deny");
    Scope {
        default_access: if denied { SecretAccess::Deny } else { SecretAccess::Allow },
        allowed: scope.allowed_secrets.iter().cloned().collect(),
        denied: scope.denied_secrets.iter().cloned().collect(),
    }
}

/// What requests pass through, the first one outermost.
pub(crate) fn pipeline(section: Option<&Pipeline>) -> Vec<Handler> {
    let handlers = section.into_iter().flat_map(|section| section.handlers.clone());
    handlers.map(|one| Handler { name: one.name, kind: one.kind, version: one.version }).collect()
}

/// Settings of a name resolver by name, as text.
pub(crate) fn resolver_settings(resolution: &NameResolution) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let members = resolution.configuration.0.as_object();
    members.into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// A subscription of the app.
pub(crate) fn subscription(resource: &Subscription) -> Declared {
    let SubscriptionSpec { pubsubname, topic, metadata, routes, bulk_subscribe: bulk, dead_letter_topic, .. } =
        resource.spec.clone();
    let mut rules: Vec<_> = routes.rules.into_iter().map(|one| rule(&one.expression, one.path)).collect();
    rules.extend(Some(routes.default).filter(|path| !path.is_empty()).map(|path| rule("", path)));
    let subscription = Wanted {
        pubsub: pubsubname,
        topic,
        dead_letter_topic,
        metadata,
        rules,
        bulk: bulk.enabled.then_some(BulkSubscribe {
            enabled: true,
            max_messages_count: bulk.max_messages_count,
            max_await_duration_ms: bulk.max_await_duration_ms,
        }),
    };
    Declared { name: resource.metadata.name.clone(), subscription }
}

fn rule(expression: &str, path: String) -> Rule {
    let expression = Some(expression.trim()).filter(|expression| !expression.is_empty());
    Rule { expression: expression.map(str::to_owned), path }
}

/// Servers outside by name, with the values of their headers.
pub(crate) async fn endpoints(
    resources: &[HttpEndpoint],
    values: &Values,
    live: &Live,
) -> BTreeMap<String, block_invoke::HttpEndpoint> {
    let mut endpoints = BTreeMap::new();
    for resource in resources {
        let name = &resource.metadata.name;
        let headers = values.of_endpoint(resource, &resource.spec.headers, &live.secrets).await;
        let headers = headers.iter().filter_map(|(header, value)| usable(name, header, value)).collect();
        let base_url = resource.spec.base_url.clone();
        let tls = client_tls(resource, values, live).await;
        endpoints.insert(name.clone(), block_invoke::HttpEndpoint { base_url, headers, tls });
    }
    endpoints
}

async fn client_tls(resource: &HttpEndpoint, values: &Values, live: &Live) -> Option<ClientTls> {
    let tls = resource.spec.client_tls.as_ref()?;
    let document = |(name, document): (&str, &Option<TlsDocument>)| {
        let TlsDocument { value, secret_key_ref } = document.clone()?;
        Some(NameValue { name: name.to_owned(), value, secret_key_ref, ..NameValue::default() })
    };
    let documents = [(ROOT, &tls.root_ca), (CERTIFICATE, &tls.certificate), (KEY, &tls.private_key)];
    let documents: Vec<_> = documents.into_iter().filter_map(document).collect();
    let resolved: BTreeMap<_, _> = values.of_endpoint(resource, &documents, &live.secrets).await.into_iter().collect();
    let text = |name: &str| resolved.get(name).cloned();
    let identity = match (text(CERTIFICATE), text(KEY)) {
        (None, None) => None,
        (certificate, key) => Some((certificate.unwrap_or_default(), key.unwrap_or_default())),
    };
    Some(ClientTls { root_ca: text(ROOT), identity })
}

fn usable(endpoint: &str, header: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let usable = HeaderName::try_from(header).ok().zip(HeaderValue::try_from(value).ok());
    if usable.is_none() {
        tracing::warn!(target: SCOPE, "HTTPEndpoint {endpoint}: header {header} is left out, as it cannot be sent; check its name and value");
    }
    usable
}
