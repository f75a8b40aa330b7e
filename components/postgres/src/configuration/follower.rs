//! The loop of a subscription: tell what changed, and begin anew when the connection breaks.
use super::Table;
use super::listener::{Listener, Listening};
use crate::SCOPE;
use component_api::Outage;
use component_api::configuration::{Item, Items, Notify};
use futures_util::StreamExt;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Pause before the next try to listen.
const PAUSE: Duration = Duration::from_secs(1);

/// A subscription to changes of some keys, or of all when none are named.
pub(super) struct Follower {
    pub(super) listener: Listener,
    pub(super) table: Arc<Table>,
    pub(super) keys: Vec<String>,
    pub(super) notify: Arc<dyn Notify>,
    pub(super) outage: Outage,
}

impl Follower {
    /// Tells of changes for ever.
    pub(super) async fn run(mut self, listening: Option<Listening>) {
        if let Some(listening) = listening {
            self.tell_changes(listening).await;
        }
        loop {
            sleep(PAUSE).await;
            match self.listener.listen().await {
                Ok(listening) => {
                    if self.outage.worked() {
                        tracing::info!(target: SCOPE, "configuration.postgresql: changes are told again");
                    }
                    self.tell_all().await;
                    self.tell_changes(listening).await;
                }
                Err(error) if self.outage.failed() => {
                    tracing::warn!(target: SCOPE, "configuration.postgresql: no changes are told for now: {error}");
                }
                Err(_) => {}
            }
        }
    }

    /// Returns when the connection breaks.
    async fn tell_changes(&self, mut listening: Listening) {
        while let Some(text) = listening.texts.next().await {
            match change(&text) {
                Some((key, _)) if !self.keys.is_empty() && !self.keys.contains(&key) => {}
                Some(change) => self.notify.changed(Items::from([change])).await,
                None => {
                    tracing::warn!(target: SCOPE, "configuration.postgresql: a notification has no row as 'data'; check the trigger")
                }
            }
        }
    }

    /// What may have changed while nobody listened.
    async fn tell_all(&self) {
        match self.table.items(&self.keys).await {
            Ok(items) if !items.is_empty() => self.notify.changed(items).await,
            Ok(_) => {}
            Err(error) => tracing::warn!(target: SCOPE, "configuration.postgresql: changes may be missing: {error}"),
        }
    }
}

/// The row in a notification; the names of its columns are found without regard to case.
fn change(text: &str) -> Option<(String, Item)> {
    let message: Value = serde_json::from_str(text).ok()?;
    let row = message.get("data")?.as_object()?;
    let metadata = column(row, "metadata").and_then(Value::as_object);
    let pairs = metadata.into_iter().flatten().map(|(name, value)| (name.clone(), plain(value)));
    let text = |name| column(row, name).map(plain).unwrap_or_default();
    let item = Item { value: text("value"), version: text("version"), metadata: pairs.collect() };
    Some((plain(column(row, "key")?), item))
}

fn column<'a>(row: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    row.iter().find(|(column, _)| column.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_in_notifications() {
        let (key, item) =
            change(r#"{"table":"t","data":{"KEY":"k","value":"v","version":2,"metadata":{"a":"b"}}}"#).unwrap();
        assert_eq!((key.as_str(), item.value.as_str(), item.version.as_str()), ("k", "v", "2"));
        assert_eq!(item.metadata.get("a").map(String::as_str), Some("b"));
        assert!(change(r#"{"data":{"key":"k","metadata":null}}"#).is_some(), "columns may be empty");
        assert!(change("no JSON").is_none() && change("{}").is_none());
    }
}
