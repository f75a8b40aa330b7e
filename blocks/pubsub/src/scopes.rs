//! Which topics an app may use (surface.md 3.2), and how they are called at the broker.
use component_api::Properties;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// What the component says about topics.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    allowed: BTreeSet<String>,
    protected: BTreeSet<String>,
    publishing: BTreeSet<String>,
    subscribing: BTreeSet<String>,
    /// Put before every topic at the broker.
    namespace: Option<String>,
}

impl Topics {
    pub(crate) fn of(properties: &Properties, app_id: &str, namespace: &str) -> Self {
        let namespaced = properties.iter().any(|(_, value)| value.contains("{namespace}"));
        Self {
            allowed: list(properties, "allowedTopics"),
            protected: list(properties, "protectedTopics"),
            publishing: scoped(properties, "publishingScopes", app_id),
            subscribing: scoped(properties, "subscriptionScopes", app_id),
            namespace: namespaced.then(|| namespace.to_owned()),
        }
    }

    pub(crate) fn may_publish(&self, topic: &str) -> bool {
        self.may_use(topic, &self.publishing)
    }

    pub(crate) fn may_subscribe(&self, topic: &str) -> bool {
        self.may_use(topic, &self.subscribing)
    }

    /// The name of a topic at the broker.
    pub(crate) fn at_broker<'a>(&self, topic: &'a str) -> Cow<'a, str> {
        self.namespace.as_ref().map_or(Cow::Borrowed(topic), |namespace| format!("{namespace}{topic}").into())
    }

    /// The name of a topic for the app.
    pub(crate) fn at_app<'a>(&self, topic: &'a str) -> Cow<'a, str> {
        self.namespace.as_ref().map_or(Cow::Borrowed(topic), |namespace| topic.replacen(namespace, "", 1).into())
    }

    fn may_use(&self, topic: &str, scope: &BTreeSet<String>) -> bool {
        if !self.allowed.is_empty() && !self.allowed.contains(topic) {
            return false;
        }
        let free = scope.is_empty() && !self.protected.contains(topic);
        free || scope.contains(topic)
    }
}

fn list(properties: &Properties, name: &str) -> BTreeSet<String> {
    let text = value(properties, name);
    if text.is_empty() { BTreeSet::new() } else { text.split(',').map(str::to_owned).collect() }
}

/// An app that is named with no topics gets the one topic without a name: that is none.
fn scoped(properties: &Properties, name: &str, app_id: &str) -> BTreeSet<String> {
    let text = value(properties, name);
    let apps = text.split(';').filter_map(|app| app.split_once('='));
    let own = apps.filter(|(app, _)| *app == app_id);
    own.flat_map(|(_, topics)| topics.split('=').next().unwrap_or_default().split(',')).map(str::to_owned).collect()
}

fn value(properties: &Properties, name: &str) -> String {
    properties.get(name).unwrap_or_default().replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::Topics;

    fn topics(pairs: &[(&str, &str)]) -> Topics {
        Topics::of(&pairs.iter().copied().collect(), "app", "space")
    }

    #[test]
    fn scopes_count_for_the_apps_they_name() {
        let scoped = topics(&[("publishingScopes", "app=a, b;other=c;silent="), ("subscriptionScopes", "app=")]);
        assert!(scoped.may_publish("a") && scoped.may_publish("b") && !scoped.may_publish("c"));
        assert!(!scoped.may_subscribe("a"), "named without topics");
        assert!(topics(&[("publishingScopes", "other=c")]).may_publish("any"), "not named");
    }

    #[test]
    fn protected_topics_need_a_scope() {
        let guarded = topics(&[("protectedTopics", "a,b"), ("publishingScopes", "app=a")]);
        assert!(guarded.may_publish("a") && !guarded.may_publish("b") && !guarded.may_subscribe("a"));
        assert!(guarded.may_subscribe("c"));
        let limited = topics(&[("allowedTopics", "a")]);
        assert!(limited.may_publish("a") && !limited.may_publish("c"));
    }

    #[test]
    fn topics_carry_the_namespace() {
        let named = topics(&[("consumerID", "{namespace}-x")]);
        assert_eq!((named.at_broker("orders"), named.at_app("spaceorders")), ("spaceorders".into(), "orders".into()));
        assert_eq!(topics(&[]).at_broker("orders"), "orders");
    }
}
