//! `pubsub.sqlite`: a durable broker for the processes of one machine, in one SQLite file and with no server.
//!
//! A message is acknowledged to its publisher when it is on the disk, and to the broker when its handler is done: neither
//! `kill -9` nor a power cut loses an acknowledged message, and handlers may see a message twice. Consumers with the same
//! `consumerID` share the messages. A group gets what is published after its first subscription and keeps its position
//! while its app is down. Contract: components.md 1.2 and 4.2; this component is Trilby's own.
mod consumer;
mod engine;
mod lease;
mod metadata;
mod tables;
mod wake;

pub use metadata::{ConcurrencyMode, Metadata};

use async_trait::async_trait;
use component_api::pubsub::{
    Broker, BulkEntry, Deliver, FailedEntry, Features, PublishRequest, Subscription, time_to_live,
};
use component_api::{Descriptor, Error, Metadata as Pairs, Registry, Result, Status, Task};
use consumer::Consumer;
use engine::{Command, Engine, translate};
use futures_util::future::{FutureExt, join_all};
use rusqlite::{Connection, OpenFlags};
use std::sync::Arc;
use std::time::Duration;
use tables::{NewMessage, Place};
use tokio::time::interval;
use wake::{Bell, Ear, bell_and_ear};

/// How often messages that nobody needs any more are deleted.
const CLEANING: Duration = Duration::from_secs(60);

/// Makes the component known.
pub fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["sqlite"],
        versions: &["v1"],
        status: Status::Alpha,
        summary: "Durable publish/subscribe between the processes of one machine, in one SQLite file.",
        schema: || schemars::schema_for!(Metadata),
    };
    registry.pubsub.add(descriptor, |config| async move {
        let metadata = Metadata::read(&config.properties, &config.app_id)?;
        let broker: Arc<dyn Broker> = Arc::new(SqliteBroker::open(metadata).await?);
        Ok(broker)
    });
}

/// The broker. Any number of them, in any number of processes, may work on one file.
#[derive(Debug)]
pub struct SqliteBroker {
    metadata: Metadata,
    engine: Engine,
    ear: Ear,
    _cleaner: Task,
}

impl SqliteBroker {
    /// Opens the database, and creates it where there is none.
    ///
    /// # Errors
    /// The file cannot be opened or is no database.
    pub async fn open(metadata: Metadata) -> Result<Self> {
        let settings = metadata.clone();
        let opened = tokio::task::spawn_blocking(move || open(&settings)).await;
        let opened = opened.map_err(|error| Error::other("opening the database broke off").with_source(error))?;
        let (connection, bell, ear) = opened.map_err(|error| translate(&error))?;
        let engine = Engine::start(connection, metadata.clone(), bell)?;
        let _cleaner = cleaner(engine.clone());
        Ok(Self { metadata, engine, ear, _cleaner })
    }

    async fn store(&self, messages: Vec<NewMessage>) -> Result<()> {
        self.engine.ask(|reply| Command::Publish { messages, reply }).await
    }

    fn consumer(&self, place: &Arc<Place>, deliver: &Arc<dyn Deliver>) -> Consumer {
        Consumer {
            engine: self.engine.clone(),
            place: Arc::clone(place),
            bell: self.ear.listen(),
            deliver: Arc::clone(deliver),
            visibility_timeout: self.metadata.visibility_timeout.0,
        }
    }
}

#[async_trait]
impl Broker for SqliteBroker {
    fn features(&self) -> Features {
        Features { message_ttl: true, bulk_publish: true, bulk_subscribe_immediate: true, ..Features::default() }
    }

    async fn publish(&self, request: PublishRequest) -> Result<()> {
        let PublishRequest { topic, data, content_type, metadata } = request;
        let time_to_live = time_to_live(&metadata);
        self.store(vec![NewMessage { topic, data, content_type, metadata, time_to_live }]).await
    }

    async fn subscribe(&self, topic: &str, _: Pairs, deliver: Arc<dyn Deliver>) -> Result<Subscription> {
        let ordered = self.metadata.concurrency_mode == ConcurrencyMode::Single;
        let place = Arc::new(Place {
            topic: topic.to_owned(),
            consumer: self.metadata.consumer_id.clone(),
            owner: uuid::Uuid::new_v4().to_string(),
            ordered,
        });
        let joining = Arc::clone(&place);
        self.engine.ask(|reply| Command::Join { place: joining, reply }).await?;
        let workers = if ordered { 1 } else { self.metadata.max_concurrent_handlers };
        let consumers: Vec<_> = (0..workers).map(|_| self.consumer(&place, &deliver)).collect();
        let task = Task::spawn(|stopping| async move {
            let stopping = async move { stopping.cancelled().await }.shared();
            join_all(consumers.into_iter().map(|consumer| consumer.run(stopping.clone()))).await;
        });
        Ok(Subscription::new(task))
    }

    /// All or none: the bulk is one commit.
    async fn bulk_publish(&self, topic: &str, entries: Vec<BulkEntry>, request_metadata: Pairs) -> Vec<FailedEntry> {
        let ids: Vec<String> = entries.iter().map(|entry| entry.entry_id.clone()).collect();
        let message = |entry: BulkEntry| NewMessage {
            topic: topic.to_owned(),
            time_to_live: time_to_live(&entry.metadata).or_else(|| time_to_live(&request_metadata)),
            data: entry.data,
            content_type: entry.content_type,
            metadata: entry.metadata,
        };
        match self.store(entries.into_iter().map(message).collect()).await {
            Ok(()) => Vec::new(),
            Err(error) => failed(ids, &error),
        }
    }

    async fn close(&self) -> Result<()> {
        if self.engine.is_closed() {
            return Ok(());
        }
        self.engine.ask(|reply| Command::Stop { reply }).await
    }
}

fn failed(ids: Vec<String>, error: &Error) -> Vec<FailedEntry> {
    let failure = |entry_id| FailedEntry { entry_id, error: Error::new(error.kind(), error.to_string()) };
    ids.into_iter().map(failure).collect()
}

fn open(metadata: &Metadata) -> rusqlite::Result<(Connection, Bell, Ear)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(&metadata.connection_string, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(metadata.busy_timeout.0)?;
    // Readers and the writer do not wait for each other; the mode stays with the file.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.set_prepared_statement_cache_capacity(32);
    tables::create(&connection)?;
    let (bell, ear) = bell_and_ear(connection.path());
    Ok((connection, bell, ear))
}

fn cleaner(engine: Engine) -> Task {
    Task::spawn(|_| async move {
        let mut times = interval(CLEANING);
        loop {
            times.tick().await;
            while let Ok(true) = engine.ask(|reply| Command::Clean { reply }).await {}
        }
    })
}

#[cfg(test)]
mod tests;
