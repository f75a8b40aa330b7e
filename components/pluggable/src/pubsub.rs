//! Brokers in other processes.
use crate::connection::{Connection, MOST, Socket, metadata};
use crate::discovery::Services;
use crate::error::error;
use crate::stream::{keep_open, say_farewell};
use async_trait::async_trait;
use component_api::pubsub::{
    Broker, BulkEntry, Deliver, FailedEntry, Features, Message, PublishRequest, Publishing, Subscription, Verdict,
    publish_each,
};
use component_api::{Config, Error, Metadata, Registry, Result, Task};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, Streaming};
use wire::components::v1::pub_sub_client::PubSubClient;
use wire::components::v1::{
    self, AckMessageError, FeaturesRequest, PauseRequest, PullMessagesRequest, PullMessagesResponse, ResumeRequest,
    Topic,
};

/// When a paused broker has sent nothing for so long, nothing more is on its way.
const QUIET: Duration = Duration::from_millis(100);

pub(crate) fn register(name: &str, socket: &Socket, _: &Services, registry: &mut Registry) {
    let socket = socket.clone();
    registry.pubsub.add_found(name, move |config| start(socket.clone(), config));
}

async fn start(socket: Socket, config: Config) -> Result<Arc<dyn Broker>> {
    let mut client = PubSubClient::new(socket.connection(&config.name)).max_decoding_message_size(MOST);
    let mut metadata = metadata(&config.properties);
    if config.properties.get("consumerID").is_none_or(|id| id.trim().is_empty()) {
        let consumer = ("consumerID".to_owned(), config.app_id.clone());
        metadata.iter_mut().for_each(|metadata| metadata.properties.extend([consumer.clone()]));
    }
    client.init(v1::PubSubInitRequest { metadata }).await.map_err(|status| error(&status))?;
    let said = client.features(FeaturesRequest {}).await.map_err(|status| error(&status))?.into_inner();
    // An earlier sidecar may have paused it; most brokers know no pause.
    client.resume(ResumeRequest {}).await.ok();
    let paused = Arc::new(AtomicBool::new(false));
    Ok(Arc::new(PluggableBroker { client, name: config.name, features: features(&said.features), paused }))
}

fn features(said: &[String]) -> Features {
    let has = |wanted: &str| said.iter().any(|feature| feature == wanted);
    Features {
        message_ttl: has("MESSAGE_TTL"),
        subscribe_wildcards: has("SUBSCRIBE_WILDCARDS"),
        bulk_publish: has("BULK_PUBSUB"),
        bulk_subscribe_immediate: has("BULK_SUBSCRIBE_IMMEDIATE"),
    }
}

struct PluggableBroker {
    client: PubSubClient<Connection>,
    name: String,
    features: Features,
    paused: Arc<AtomicBool>,
}

#[async_trait]
impl Broker for PluggableBroker {
    fn features(&self) -> Features {
        self.features
    }

    async fn publish(&self, request: PublishRequest) -> Result<()> {
        let PublishRequest { topic, data, content_type, metadata } = request;
        let request = v1::PublishRequest {
            data,
            pubsub_name: self.name.clone(),
            topic,
            metadata: metadata.into_iter().collect(),
            content_type: content_type.unwrap_or_default(),
        };
        self.client.clone().publish(request).await.map(drop).map_err(|status| error(&status))
    }

    async fn subscribe(&self, topic: &str, metadata: Metadata, deliver: Arc<dyn Deliver>) -> Result<Subscription> {
        let topic = Topic { name: topic.to_owned(), metadata: metadata.into_iter().collect() };
        let (client, paused) = (self.client.clone(), Arc::clone(&self.paused));
        Ok(Subscription::new(Task::spawn(|stopping| async move {
            let end = End { stopping, paused };
            keep_open(&topic.name, &end.stopping, || pull(client.clone(), topic.clone(), &*deliver, &end)).await;
        })))
    }

    async fn bulk_publish(&self, topic: &str, entries: Vec<BulkEntry>, metadata: Metadata) -> Vec<FailedEntry> {
        if !self.features.bulk_publish {
            return publish_each(self, topic, entries).await;
        }
        let ids: Vec<_> = entries.iter().map(|entry| entry.entry_id.clone()).collect();
        let request = v1::BulkPublishRequest {
            entries: entries.into_iter().map(entry).collect(),
            pubsub_name: self.name.clone(),
            topic: topic.to_owned(),
            metadata: metadata.into_iter().collect(),
        };
        match self.client.clone().bulk_publish(request).await {
            Ok(response) => response.into_inner().failed_entries.into_iter().map(failed).collect(),
            Err(status) => ids.into_iter().map(|entry_id| FailedEntry { entry_id, error: error(&status) }).collect(),
        }
    }

    /// Most brokers do not know it: then closing a subscription has to do.
    async fn pause(&self, _: Publishing) -> Result<()> {
        match self.client.clone().pause(PauseRequest {}).await {
            Ok(_) => self.paused.store(true, Ordering::Relaxed),
            Err(status) if status.code() == Code::Unimplemented => {}
            Err(status) => return Err(error(&status)),
        }
        Ok(())
    }
}

/// How a subscription ends.
struct End {
    stopping: CancellationToken,
    /// The broker sends nothing more.
    paused: Arc<AtomicBool>,
}

impl End {
    /// The next message; none at the end. What a paused broker has already sent comes before it.
    async fn next<T>(&self, messages: &mut Streaming<T>) -> Option<std::result::Result<Option<T>, Status>> {
        match self.stopping.run_until_cancelled(messages.message()).await {
            None if self.paused.load(Ordering::Relaxed) => timeout(QUIET, messages.message()).await.ok(),
            next => next,
        }
    }
}

fn entry(entry: BulkEntry) -> v1::BulkMessageEntry {
    let BulkEntry { entry_id, data, content_type, metadata } = entry;
    let content_type = content_type.unwrap_or_default();
    v1::BulkMessageEntry { entry_id, event: data, content_type, metadata: metadata.into_iter().collect() }
}

fn failed(failed: v1::BulkPublishResponseFailedEntry) -> FailedEntry {
    FailedEntry { entry_id: failed.entry_id, error: Error::other(failed.error) }
}

/// Delivers the messages of one stream, one at a time, until it ends. Returns whether there were any.
async fn pull(
    mut client: PubSubClient<Connection>,
    topic: Topic,
    deliver: &dyn Deliver,
    end: &End,
) -> std::result::Result<bool, Status> {
    let (acks, requests) = mpsc::channel(1);
    acks.try_send(PullMessagesRequest { topic: Some(topic), ..Default::default() }).ok();
    // The answer begins with the first message.
    let opened = end.stopping.run_until_cancelled(client.pull_messages(ReceiverStream::new(requests))).await;
    let Some(opened) = opened else { return Ok(false) };
    let mut messages = opened?.into_inner();
    let mut had_messages = false;
    while let Some(next) = end.next(&mut messages).await {
        let Some(message) = next? else { return Ok(had_messages) };
        had_messages = true;
        let id = message.id.clone();
        let verdict = deliver.deliver(read(message)).await;
        // What was not done when the end began is neither acknowledged nor refused: it comes again.
        if verdict != Verdict::Retry || !end.stopping.is_cancelled() {
            acks.send(ack(id, verdict)).await.ok();
        }
    }
    drop(acks);
    say_farewell(messages).await;
    Ok(had_messages)
}

fn read(message: PullMessagesResponse) -> Message {
    Message {
        topic: message.topic_name,
        data: message.data,
        content_type: Some(message.content_type).filter(|content_type| !content_type.is_empty()),
        metadata: message.metadata.into_iter().collect(),
    }
}

fn ack(id: String, verdict: Verdict) -> PullMessagesRequest {
    let refusal = || AckMessageError { message: "the message was not handled and shall come again".to_owned() };
    let ack_error = (verdict == Verdict::Retry).then(refusal);
    PullMessagesRequest { ack_message_id: id, ack_error, topic: None }
}
