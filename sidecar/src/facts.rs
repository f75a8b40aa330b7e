//! What the metadata document says of this sidecar.
use crate::components::Live;
use block_host::{Component, Facts, Rule, Subscription};
use block_pubsub::{Kind, Listed, Subscriber};
use component_api::{Instance, pubsub, secret, state};
use std::sync::Arc;

/// Where the document is read from.
pub(crate) struct Sources {
    pub(crate) live: Live,
    pub(crate) subscriber: Arc<Subscriber>,
    pub(crate) http_endpoints: Vec<String>,
    pub(crate) resiliencies: Vec<String>,
}

impl Facts for Sources {
    fn components(&self) -> Vec<Component> {
        let (state, brokers, secrets) = (self.live.state.all(), self.live.brokers.all(), self.live.secrets.all());
        let state = state.values().map(|one| component(one, of_state(one.component.features())));
        let brokers = brokers.values().map(|one| component(one, of_broker(one.component.features())));
        let secrets = secrets.values().map(|one| component(one, of_secrets(one.component.features())));
        state.chain(brokers).chain(secrets).collect()
    }

    fn subscriptions(&self) -> Vec<Subscription> {
        self.subscriber.list().into_iter().map(subscription).collect()
    }

    fn http_endpoints(&self) -> Vec<String> {
        self.http_endpoints.clone()
    }

    fn resiliencies(&self) -> Vec<String> {
        self.resiliencies.clone()
    }
}

fn component<T: ?Sized>(instance: &Instance<T>, capabilities: Vec<&'static str>) -> Component {
    let Instance { name, kind, version, .. } = instance;
    Component { name: name.clone(), kind: kind.clone(), version: version.clone(), capabilities }
}

fn those(capabilities: &[(bool, &'static str)]) -> Vec<&'static str> {
    capabilities.iter().filter(|(has, _)| *has).map(|(_, name)| *name).collect()
}

fn of_state(features: state::Features) -> Vec<&'static str> {
    those(&[
        (features.etag, "ETAG"),
        (features.transactional, "TRANSACTIONAL"),
        (features.query, "QUERY_API"),
        (features.ttl, "TTL"),
        (features.delete_with_prefix, "DELETE_WITH_PREFIX"),
        (features.keys_like, "KEYS_LIKE"),
        (features.etag && features.transactional, "ACTOR"),
    ])
}

fn of_broker(features: pubsub::Features) -> Vec<&'static str> {
    those(&[
        (features.message_ttl, "MESSAGE_TTL"),
        (features.subscribe_wildcards, "SUBSCRIBE_WILDCARDS"),
        (features.bulk_publish, "BULK_PUBSUB"),
        (features.bulk_subscribe_immediate, "BULK_SUBSCRIBE_IMMEDIATE"),
    ])
}

fn of_secrets(features: secret::Features) -> Vec<&'static str> {
    those(&[(features.multiple_values, "MULTIPLE_KEY_VALUES_PER_SECRET")])
}

fn subscription(listed: Listed) -> Subscription {
    let rule = |rule: foundation_app::Rule| Rule { expression: rule.expression.unwrap_or_default(), path: rule.path };
    Subscription {
        pubsub: listed.pubsub,
        topic: listed.topic,
        metadata: listed.metadata,
        rules: listed.rules.into_iter().map(rule).collect(),
        dead_letter_topic: listed.dead_letter_topic,
        kind: match listed.kind {
            Kind::Declarative => "DECLARATIVE",
            Kind::Programmatic => "PROGRAMMATIC",
            Kind::Streaming => "STREAMING",
        },
    }
}
