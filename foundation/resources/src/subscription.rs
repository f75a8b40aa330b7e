//! Subscription v2alpha1 and v1alpha1: a topic that an app gets events of (surface.md 3.4).
use crate::common::{ObjectMeta, Resource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A topic, and where its events go in the app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Subscription {
    /// Name and namespace.
    pub metadata: ObjectMeta,
    /// The topic and its routes.
    pub spec: SubscriptionSpec,
    /// Ids of the apps that subscribe; empty is all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// A topic and its routes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct SubscriptionSpec {
    /// Name of the pub/sub component.
    pub pubsubname: String,
    /// Topic.
    pub topic: String,
    /// Settings of the subscription for the component.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Paths of the app that take the events (v2alpha1).
    pub routes: Routes,
    /// The only path (v1alpha1); moved to `routes.default` when a document is loaded.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub route: String,
    /// Delivery of several events at once.
    pub bulk_subscribe: BulkSubscribe,
    /// Topic for events that cannot be delivered.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub dead_letter_topic: String,
}

/// Paths of the app, chosen by rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Routes {
    /// The first rule that matches decides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Path of events that no rule matches; empty drops them.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub default: String,
}

/// A path for some events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Rule {
    /// CEL expression over `event`; empty matches all.
    #[serde(rename = "match")]
    pub expression: String,
    /// Path of the app.
    pub path: String,
}

/// Delivery of several events at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct BulkSubscribe {
    /// Whether events come in bulks.
    pub enabled: bool,
    /// Most events of a bulk; 0 leaves it to the sidecar.
    pub max_messages_count: i32,
    /// Longest wait for a bulk to fill, in milliseconds; 0 leaves it to the sidecar.
    pub max_await_duration_ms: i32,
}

impl Subscription {
    /// Whether a version is the older one.
    pub(crate) fn is_v1(api_version: &str) -> bool {
        api_version == V1
    }

    /// The same in the form of v2alpha1.
    pub(crate) fn upgraded(mut self, api_version: &str) -> Self {
        if Self::is_v1(api_version) {
            self.spec.routes = Routes { default: std::mem::take(&mut self.spec.route), ..Routes::default() };
        }
        self.spec.route.clear();
        self
    }
}

const V1: &str = "dapr.io/v1alpha1";

impl Resource for Subscription {
    const KIND: &'static str = "Subscription";
    const API_VERSIONS: &'static [&'static str] = &["dapr.io/v2alpha1", V1];

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn scopes(&self) -> &[String] {
        &self.scopes
    }
}
