//! What an app subscribes to.
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A topic that the app wants, and where its events go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    pub pubsub: String,
    pub topic: String,
    pub dead_letter_topic: String,
    pub metadata: BTreeMap<String, String>,
    /// In the order they are tried; the default route is the last, without an expression. Never empty.
    pub rules: Vec<Rule>,
    pub bulk: Option<BulkSubscribe>,
}

/// A route of events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// CEL expression over the event, trimmed; without one every event goes here.
    pub expression: Option<String>,
    pub path: String,
}

impl Rule {
    pub(crate) fn new(expression: &str, path: String) -> Self {
        let expression = expression.trim();
        Self { expression: (!expression.is_empty()).then(|| expression.to_owned()), path }
    }

    pub(crate) fn default_to(path: String) -> Self {
        Self { expression: None, path }
    }
}

/// How events are collected into bulks. 0 stands for the default: 100 messages, 1000 milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BulkSubscribe {
    pub enabled: bool,
    pub max_messages_count: i32,
    pub max_await_duration_ms: i32,
}

/// Reads the JSON array of an HTTP app. Names are found without regard to case, as SDKs write them differently;
/// absent and null members are empty. Subscriptions without a route are left out.
pub(crate) fn from_json(document: Value) -> Result<Vec<Subscription>, String> {
    let items = match document {
        Value::Null => Vec::new(),
        Value::Array(items) => items,
        other => return Err(format!("an array was expected, not {}", kind(&other))),
    };
    let all = items.into_iter().map(subscription).collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().filter(has_rules).collect())
}

fn has_rules(subscription: &Subscription) -> bool {
    if subscription.rules.is_empty() {
        let topic = &subscription.topic;
        tracing::warn!(target: "dapr.runtime.pubsub", "topic {topic} has an empty routes. removing from subscriptions list");
    }
    !subscription.rules.is_empty()
}

fn subscription(item: Value) -> Result<Subscription, String> {
    let mut item = Members::of(item)?;
    Ok(Subscription {
        pubsub: item.text("pubsubname")?,
        topic: item.text("topic")?,
        dead_letter_topic: item.text("deadlettertopic")?,
        metadata: item.texts("metadata")?,
        rules: rules(item.text("route")?, item.members("routes")?)?,
        bulk: Some(bulk(item.members("bulksubscribe")?)?),
    })
}

fn rules(route: String, mut routes: Members) -> Result<Vec<Rule>, String> {
    let mut rules = Vec::new();
    for rule in routes.array("rules")? {
        let mut rule = Members::of(rule)?;
        rules.push(Rule::new(&rule.text("match")?, rule.text("path")?));
    }
    let default = [routes.text("default")?, route].into_iter().find(|path| !path.is_empty());
    rules.extend(default.map(Rule::default_to));
    Ok(rules)
}

fn bulk(mut members: Members) -> Result<BulkSubscribe, String> {
    Ok(BulkSubscribe {
        enabled: members.boolean("enabled")?,
        max_messages_count: members.number("maxmessagescount")?,
        max_await_duration_ms: members.number("maxawaitdurationms")?,
    })
}

/// Members of a JSON object by their names in lower case.
#[derive(Default)]
pub(crate) struct Members(BTreeMap<String, Value>);

impl Members {
    pub(crate) fn of(value: Value) -> Result<Self, String> {
        match value {
            Value::Null => Ok(Self::default()),
            Value::Object(members) => {
                Ok(Self(members.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect()))
            }
            other => Err(format!("an object was expected, not {}", kind(&other))),
        }
    }

    fn take(&mut self, name: &str) -> Value {
        self.0.remove(name).unwrap_or_default()
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<String, String> {
        match self.take(name) {
            Value::Null => Ok(String::new()),
            Value::String(text) => Ok(text),
            other => Err(format!("\"{name}\" must be a string, not {}", kind(&other))),
        }
    }

    fn boolean(&mut self, name: &str) -> Result<bool, String> {
        match self.take(name) {
            Value::Null => Ok(false),
            Value::Bool(value) => Ok(value),
            other => Err(format!("\"{name}\" must be true or false, not {}", kind(&other))),
        }
    }

    fn number(&mut self, name: &str) -> Result<i32, String> {
        let value = self.take(name);
        let number = if value.is_null() { Some(0) } else { value.as_i64() };
        let fitting = number.and_then(|number| i32::try_from(number).ok());
        fitting.ok_or_else(|| format!("\"{name}\" must be a whole number of 32 bits"))
    }

    pub(crate) fn array(&mut self, name: &str) -> Result<Vec<Value>, String> {
        match self.take(name) {
            Value::Null => Ok(Vec::new()),
            Value::Array(items) => Ok(items),
            other => Err(format!("\"{name}\" must be an array, not {}", kind(&other))),
        }
    }

    fn members(&mut self, name: &str) -> Result<Self, String> {
        Self::of(self.take(name)).map_err(|error| format!("\"{name}\": {error}"))
    }

    fn texts(&mut self, name: &str) -> Result<BTreeMap<String, String>, String> {
        let value = self.take(name);
        let members: Map<String, Value> = if value.is_null() {
            Map::new()
        } else {
            serde_json::from_value(value).map_err(|error| format!("\"{name}\": {error}"))?
        };
        let text = |(key, value)| serde_json::from_value(value).map(|text| (key, text));
        let texts = members.into_iter().filter(|(_, value)| !value.is_null()).map(text);
        texts.collect::<Result<_, _>>().map_err(|error| format!("\"{name}\": {error}"))
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json_tests::json;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn routes_end_with_the_default() {
        let document = json!([{
            "pubsubName": "broker", "TOPIC": "orders", "metadata": {"rawPayload": "true"}, "route": "/ignored",
            "routes": {"rules": [{"match": " event.type == 'a' ", "path": "/a"}, {"match": "", "path": "/b"}], "default": "/c"},
            "bulkSubscribe": {"enabled": true, "maxMessagesCount": 5},
        }]);
        let found = from_json(document).unwrap().remove(0);
        assert_eq!((found.pubsub.as_str(), found.topic.as_str()), ("broker", "orders"));
        let rule = |expression: Option<&str>, path: &str| Rule {
            expression: expression.map(str::to_owned),
            path: path.to_owned(),
        };
        assert_eq!(found.rules, [rule(Some("event.type == 'a'"), "/a"), rule(None, "/b"), rule(None, "/c")]);
        assert_eq!(found.metadata["rawPayload"], "true");
        assert_eq!(found.bulk, Some(BulkSubscribe { enabled: true, max_messages_count: 5, max_await_duration_ms: 0 }));
    }

    #[test]
    fn subscriptions_without_a_route_are_left_out() {
        let document =
            json!([{"pubsubname": "broker", "topic": "none"}, {"pubsubname": "broker", "topic": "a", "route": "a"}]);
        let found = from_json(document).unwrap();
        assert_eq!(found.iter().map(|one| one.topic.as_str()).collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn wrong_types_are_errors() {
        assert!(from_json(json!({"topic": "a"})).is_err());
        assert!(from_json(json!([{"topic": 1}])).unwrap_err().contains("topic"));
        assert_eq!(from_json(Value::Null).unwrap(), []);
    }

    proptest! {
        #[test]
        fn any_answer_of_an_app_is_read_or_refused(items in prop::collection::vec(json(), 0..3), document in json()) {
            for document in [Value::Array(items), document] {
                for found in from_json(document).into_iter().flatten() {
                    prop_assert!(!found.rules.is_empty());
                }
            }
        }
    }
}
