//! `configuration.postgresql`: rows of a table, whose trigger notifies a channel of changes (components.md 4.5).
//!
//! The table has the columns `key`, `value`, `version` and `metadata`. The trigger sends JSON that has the row as `data`.
mod follower;
mod listener;
mod metadata;

pub use metadata::Metadata;

use crate::SCOPE;
use crate::database::Database;
use crate::metadata::check_name;
use async_trait::async_trait;
use component_api::configuration::{Item, Items, Notify, Store};
use component_api::pubsub::Subscription;
use component_api::{Descriptor, Error, Metadata as Pairs, Outage, Registry, Result, Status, Task, metadata_value};
use follower::Follower;
use listener::Listener;
use std::sync::Arc;
use tokio_postgres::Row;
use tokio_util::sync::CancellationToken;

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["postgresql", "postgres"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "Configuration in a PostgreSQL table, whose trigger tells of changes.",
        schema: Metadata::schema,
    };
    registry.configuration.add(descriptor, |config| async move {
        let store: Arc<dyn Store> = Arc::new(PostgresConfiguration::new(Metadata::read(&config.properties)?)?);
        Ok(store)
    });
}

/// The store. It connects when it is first used.
#[derive(Debug)]
pub struct PostgresConfiguration {
    table: Arc<Table>,
    channel: String,
    closing: CancellationToken,
}

/// The table of the items.
#[derive(Debug)]
struct Table {
    database: Database,
    all: String,
    some: String,
}

impl PostgresConfiguration {
    /// Prepares the store; nothing is connected yet.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub fn new(metadata: Metadata) -> Result<Self> {
        let all = format!("SELECT key, value, version::text, metadata::text FROM {}", metadata.table);
        let some = format!("{all} WHERE key = ANY($1)");
        let table = Arc::new(Table { database: Database::new(&metadata.connection, None)?, all, some });
        Ok(Self { table, channel: metadata.notify_channel, closing: CancellationToken::new() })
    }

    /// The channel of the component, or else of the request, as earlier versions of Dapr wanted it.
    fn channel(&self, request: &Pairs) -> Result<String> {
        let asked = metadata_value(request, "pgNotifyChannel").unwrap_or_default();
        let channel = if self.channel.is_empty() { asked } else { &self.channel };
        if channel.is_empty() {
            return Err(Error::invalid("subscribing needs notifyChannel in the metadata of the component"));
        }
        check_name(channel)?;
        Ok(channel.to_owned())
    }
}

#[async_trait]
impl Store for PostgresConfiguration {
    async fn get(&self, keys: &[String], _: &Pairs) -> Result<Items> {
        self.table.items(keys).await
    }

    /// While the database is away nothing is told; when it is back, everything.
    async fn subscribe(&self, keys: Vec<String>, metadata: Pairs, notify: Arc<dyn Notify>) -> Result<Subscription> {
        let (config, connector) = self.table.database.own_connection();
        let listener = Listener { config, connector, channel: self.channel(&metadata)? };
        let mut outage = Outage::default();
        let listening = match listener.listen().await {
            Err(error) if error.is_temporary() => {
                outage.failed();
                tracing::warn!(target: SCOPE, "configuration.postgresql: subscribing is tried again: {error}");
                None
            }
            listening => Some(listening?),
        };
        let follower = Follower { listener, table: Arc::clone(&self.table), keys, notify, outage };
        Ok(Subscription::new(Task::until(self.closing.clone(), follower.run(listening))))
    }

    async fn ping(&self) -> Result<()> {
        self.table.database.ping().await
    }

    async fn close(&self) -> Result<()> {
        self.closing.cancel();
        self.table.database.close();
        Ok(())
    }
}

impl Table {
    /// The items of these keys, or all of them. Of several rows of a key, the one with the highest version counts.
    async fn items(&self, keys: &[String]) -> Result<Items> {
        let rows = match keys {
            [] => self.database.query(&self.all, &[]).await?,
            keys => self.database.query(&self.some, &[&keys]).await?,
        };
        let mut items = Items::new();
        for row in &rows {
            let (key, item) = item(row);
            if items.get(&key).is_none_or(|known| number(&item.version) > number(&known.version)) {
                items.insert(key, item);
            }
        }
        Ok(items)
    }
}

fn item(row: &Row) -> (String, Item) {
    let text = |index| row.get::<_, Option<String>>(index).unwrap_or_default();
    let metadata = serde_json::from_str(&text(3)).unwrap_or_default();
    (text(0), Item { value: text(1), version: text(2), metadata })
}

/// A version that is no number is below all that are.
fn number(version: &str) -> i64 {
    version.parse().unwrap_or(-1)
}
