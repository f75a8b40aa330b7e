//! `pubsub.sqlite`: a durable broker for the processes of one machine, in one SQLite file and with no server.
//!
//! A message is acknowledged to its publisher when it is on the disk, and to the broker when its handler is done: neither
//! `kill -9` nor a power cut loses an acknowledged message, and handlers may see a message twice. Consumers with the same
//! `consumerID` share the messages. A new group begins with what the broker still has, so that it does not matter whether
//! publishers or subscribers start first, and keeps its position while its app is down. Messages go when all known groups
//! are done with them, or by their age and number. Contract: components.md 1.2 and 4.2; this component is Trilby's own.
mod cleaning;
mod consumer;
mod engine;
mod lease;
mod metadata;
mod tables;
mod wake;

pub use metadata::{ConcurrencyMode, Metadata};

use crate::SCOPE;
use crate::source::Source;
use async_trait::async_trait;
use component_api::pubsub::{
    Broker, BulkEntry, Deliver, FailedEntry, Features, PublishRequest, Subscription, time_to_live,
};
use component_api::{Descriptor, Error, Metadata as Pairs, Registry, Result, Status, Task};
use consumer::Consumer;
use engine::{Command, Engine, translate};
use futures_util::future::{FutureExt, join_all};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tables::{NewMessage, Place};
use tokio::sync::watch;
use tokio::time::{interval, sleep};
use wake::Bell;

/// How often messages that nobody needs any more are deleted.
const CLEANING: Duration = Duration::from_secs(60);
/// How often a group shows that it is there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(600);
/// Most messages that are taken together, whatever the app would have.
const LARGEST_BATCH: usize = 1000;

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
    bell: watch::Receiver<u64>,
    _cleaner: Task,
}

impl SqliteBroker {
    /// Opens the database, and creates it where there is none.
    ///
    /// # Errors
    /// The file cannot be opened or is no database.
    pub async fn open(metadata: Metadata) -> Result<Self> {
        let source = Arc::new(Source::new(metadata.connection(), tables::migrations())?);
        let opening = Arc::clone(&source);
        let opened = tokio::task::spawn_blocking(move || opening.open()).await;
        let opened = opened.map_err(|error| Error::other("opening the database broke off").with_source(error))?;
        let opened = opened.map_err(|error| translate(&error))?;
        let ringing = Bell::new(opened.connection.path());
        let bell = ringing.listen();
        let engine = Engine::start(opened, source, metadata.clone(), ringing)?;
        let _cleaner = cleaner(engine.clone());
        Ok(Self { metadata, engine, bell, _cleaner })
    }

    async fn store(&self, messages: Vec<NewMessage>) -> Result<()> {
        self.engine.ask(|reply| Command::Publish { messages, reply }).await
    }

    fn consumer(&self, place: &Arc<Place>, deliver: &Arc<dyn Deliver>) -> Consumer {
        Consumer {
            engine: self.engine.clone(),
            place: Arc::clone(place),
            bell: self.bell.clone(),
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
            batch_size: deliver.batch_size().clamp(1, LARGEST_BATCH),
        });
        join(&self.engine, &place).await?;
        let workers = if ordered { 1 } else { self.metadata.max_concurrent_handlers };
        let consumers: Vec<_> = (0..workers).map(|_| self.consumer(&place, &deliver)).collect();
        let engine = self.engine.clone();
        let task = Task::spawn(|stopping| async move {
            let stopping = async move { stopping.cancelled().await }.shared();
            let consumers = join_all(consumers.into_iter().map(|consumer| consumer.run(stopping.clone())));
            tokio::select! { _ = consumers => {}, () = stay_known(&engine, &place) => {} }
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

async fn join(engine: &Engine, place: &Arc<Place>) -> Result<()> {
    let place = Arc::clone(place);
    engine.ask(|reply| Command::Join { place, reply }).await
}

/// Shows now and then that the group is there; never ends.
async fn stay_known(engine: &Engine, place: &Arc<Place>) {
    loop {
        sleep(SIGN_OF_LIFE).await;
        // A sign that gets lost is one of many.
        join(engine, place).await.ok();
    }
}

fn cleaner(engine: Engine) -> Task {
    Task::spawn(|_| async move {
        let mut times = interval(CLEANING);
        loop {
            times.tick().await;
            let mut lost = BTreeMap::<_, usize>::new();
            while let Ok(Some(more)) = engine.ask(|reply| Command::Clean { reply }).await {
                more.into_iter().for_each(|(number, topic)| *lost.entry(topic).or_default() += number);
            }
            for (topic, number) in lost {
                tracing::warn!(target: SCOPE, "{number} messages of topic {topic} were deleted before all had handled them: they were older than retention, or more than maxMessages");
            }
        }
    })
}

#[cfg(test)]
mod tests;
