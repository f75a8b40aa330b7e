//! What the metadata document says of this sidecar.
use crate::actors;
use crate::components::Live;
use crate::resources::Current;
use block_binding::Direction;
use block_host::{ActorRuntime, Component, Facts, Rule, Subscription};
use block_pubsub::{Kind, Listed, Subscriber};
use component_api::binding::Binding;
use component_api::{Instance, pubsub, secret, state};
use foundation_resources::Resource;
use std::sync::Arc;

/// Where the document is read from.
pub(crate) struct Sources {
    pub(crate) live: Live,
    pub(crate) subscriber: Arc<Subscriber>,
    pub(crate) current: Current,
    pub(crate) actors: Arc<block_actor::Service>,
    pub(crate) scheduler: Option<Arc<foundation_scheduler::Client>>,
}

impl Facts for Sources {
    fn components(&self) -> Vec<Component> {
        let live = &self.live;
        let mut all = listed(&live.state, |store| of_state(store.component.features()));
        let brokers = live.brokers.all();
        let at_work = brokers.values().filter(|broker| self.subscriber.is_in_step(broker));
        all.extend(at_work.map(|broker| component(broker, of_broker(broker.component.features()))));
        all.extend(listed(&live.secrets, |store| of_secrets(store.component.features())));
        all.extend(listed(&live.configurations, |_| Vec::new()));
        all.extend(listed(&live.locks, |_| Vec::new()));
        all.extend(listed(&live.cryptos, |_| Vec::new()));
        all.extend(listed(&live.conversations, |_| Vec::new()));
        all.extend(listed(&live.bindings, of_binding));
        all.extend(listed(&live.middlewares, |_| Vec::new()));
        all
    }

    fn subscriptions(&self) -> Vec<Subscription> {
        self.subscriber.list().into_iter().map(subscription).collect()
    }

    fn actor_runtime(&self) -> ActorRuntime {
        actors::described(&self.actors)
    }

    fn schedulers(&self) -> Vec<String> {
        self.scheduler.as_ref().map(|scheduler| scheduler.addresses()).unwrap_or_default()
    }

    fn http_endpoints(&self) -> Vec<String> {
        names(&self.current.get().resources.http_endpoints)
    }

    fn resiliencies(&self) -> Vec<String> {
        names(&self.current.get().resources.resiliencies)
    }

    fn mcp_servers(&self) -> Vec<String> {
        names(&self.current.get().resources.mcp_servers)
    }

    fn workflow_access_policies(&self) -> Vec<String> {
        names(&self.current.get().resources.workflow_access_policies)
    }
}

fn names<T: Resource>(resources: &[T]) -> Vec<String> {
    resources.iter().map(|resource| resource.metadata().name.clone()).collect()
}

fn listed<T: ?Sized>(
    live: &component_api::Live<T>,
    capabilities: fn(&Instance<T>) -> Vec<&'static str>,
) -> Vec<Component> {
    live.all().values().map(|one| component(one, capabilities(one))).collect()
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

fn of_binding(instance: &Instance<dyn Binding>) -> Vec<&'static str> {
    let direction = Direction::of(instance);
    those(&[(direction.input, "INPUT_BINDING"), (direction.output, "OUTPUT_BINDING")])
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
