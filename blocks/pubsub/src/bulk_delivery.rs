//! Messages collected into bulks for the app (protocols.md 7.4).
use crate::delivery::{Delivery, SCOPE};
use crate::event::is_expired;
use crate::failure::Failure;
use crate::model::raw_payload;
use crate::spans::of_delivery;
use async_trait::async_trait;
use component_api::pubsub::{Deliver, Message, Verdict};
use component_api::{Metadata, Task};
use foundation_app::{BulkEntry, BulkEvent, BulkPayload, BulkSubscribe, Envelope, EventStatus, Subscription};
use foundation_drain::isolated;
use foundation_resiliency::ComponentKind;
use foundation_telemetry::Span;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use uuid::Uuid;

const MOST: usize = 100;
const LONGEST: Duration = Duration::from_millis(1000);

/// A message that waits for its bulk.
struct Waiting {
    message: Message,
    verdict: oneshot::Sender<Verdict>,
}

/// Gives each message to the collector and waits for what becomes of it. Batches of the broker are bulks as they are.
pub(crate) struct Collected {
    waiting: mpsc::Sender<Waiting>,
    delivery: Arc<Delivery>,
    most: usize,
    /// How long a bulk may wait for more messages, if the subscription says so.
    wait: Option<Duration>,
}

#[async_trait]
impl Deliver for Collected {
    async fn deliver(&self, message: Message) -> Verdict {
        let (verdict, done) = oneshot::channel();
        // Without a collector the subscription is ending: the message is for the next one.
        if self.waiting.send(Waiting { message, verdict }).await.is_err() {
            return Verdict::Retry;
        }
        done.await.unwrap_or(Verdict::Retry)
    }

    fn batch_size(&self) -> usize {
        self.most
    }

    fn batch_wait(&self) -> Option<Duration> {
        self.wait
    }

    async fn deliver_batch(&self, messages: Vec<Message>) -> Vec<Verdict> {
        self.delivery.deliver_bulk(&messages).await
    }
}

/// Collects messages for `delivery`. A broker that hands out bulks by itself is not kept waiting (`immediate`). When the
/// task is closed it delivers what it has.
pub(crate) fn collect(delivery: Arc<Delivery>, bulk: BulkSubscribe, immediate: bool) -> (Arc<Collected>, Task) {
    let most = usize::try_from(bulk.max_messages_count).ok().filter(|most| *most > 0).unwrap_or(MOST);
    let given = u64::try_from(bulk.max_await_duration_ms).ok().filter(|given| *given > 0).map(Duration::from_millis);
    let wait = if immediate { Duration::ZERO } else { given.unwrap_or(LONGEST) };
    let (sender, mut waiting) = mpsc::channel(most.min(1024));
    let collected = Collected { waiting: sender, delivery: Arc::clone(&delivery), most, wait: given };
    let task = Task::spawn(|stopping| async move {
        let mut ending = false;
        loop {
            let mut bulk = Vec::new();
            let first = tokio::select! {
                first = waiting.recv() => first,
                () = stopping.cancelled(), if !ending => {
                    ending = true;
                    waiting.close();
                    continue;
                }
            };
            let Some(first) = first else { return };
            bulk.push(first);
            tokio::select! {
                () = fill(&mut bulk, &mut waiting, most, wait) => {}
                () = stopping.cancelled() => {}
            }
            // After a panic nobody has a verdict, and all of it comes again.
            isolated(deliver_collected(&delivery, bulk)).await.ok();
        }
    });
    (Arc::new(collected), task)
}

async fn deliver_collected(delivery: &Delivery, bulk: Vec<Waiting>) {
    let (messages, replies): (Vec<Message>, Vec<_>) =
        bulk.into_iter().map(|waiting| (waiting.message, waiting.verdict)).unzip();
    for (reply, verdict) in replies.into_iter().zip(delivery.deliver_bulk(&messages).await) {
        reply.send(verdict).ok();
    }
}

async fn fill(bulk: &mut Vec<Waiting>, waiting: &mut mpsc::Receiver<Waiting>, most: usize, wait: Duration) {
    while bulk.len() < most
        && let Ok(next) = waiting.try_recv()
    {
        bulk.push(next);
    }
    let end = sleep(wait);
    tokio::pin!(end);
    while bulk.len() < most && !wait.is_zero() {
        tokio::select! {
            next = waiting.recv() => match next {
                Some(next) => bulk.push(next),
                None => return,
            },
            () = &mut end => return,
        }
    }
}

/// An entry that the app is to get, and where it stands in the bulk.
#[derive(Clone)]
struct Outgoing {
    place: usize,
    entry: BulkEntry,
    /// Ends with the delivery.
    _span: Option<Span>,
}

/// What is known of each message of a bulk; none stands for a failure.
type Verdicts = Vec<Option<Verdict>>;

impl Delivery {
    async fn deliver_bulk(&self, messages: &[Message]) -> Vec<Verdict> {
        let mut verdicts: Verdicts = vec![None; messages.len()];
        for (path, outgoing) in self.sort_out(messages, &mut verdicts).await {
            self.hand_out_bulk(path, outgoing, messages, &mut verdicts).await;
        }
        if !self.closing.load(Ordering::Relaxed) {
            self.bury(messages, &mut verdicts).await;
        }
        verdicts.into_iter().map(|verdict| verdict.unwrap_or(Verdict::Retry)).collect()
    }

    /// Entries by path, in the order the paths come up.
    async fn sort_out(&self, messages: &[Message], verdicts: &mut Verdicts) -> Vec<(String, Vec<Outgoing>)> {
        let mut by_path: Vec<(String, Vec<Outgoing>)> = Vec::new();
        for (place, message) in messages.iter().enumerate() {
            match self.entry(message).await {
                Ok(Some((path, entry))) => {
                    let outgoing = Outgoing { place, _span: self.span(&entry), entry };
                    match by_path.iter_mut().find(|(known, _)| *known == path) {
                        Some((_, all)) => all.push(outgoing),
                        None => by_path.push((path, vec![outgoing])),
                    }
                }
                Ok(None) => {
                    self.count_entries("drop", 1);
                    self.dead_letter(message).await;
                    verdicts[place] = Some(Verdict::Drop);
                }
                Err(reason) => tracing::error!(target: SCOPE, "{reason}"),
            }
        }
        by_path
    }

    fn span(&self, entry: &BulkEntry) -> Option<Span> {
        let BulkPayload::CloudEvent(envelope) = &entry.event else { return None };
        of_delivery(self.service.tracer(), &self.subscription.topic, envelope)
    }

    /// None for a message that the app does not want, or that is too old.
    async fn entry(&self, message: &Message) -> Result<Option<(String, BulkEntry)>, String> {
        let raw = raw_payload(&self.subscription.metadata)?;
        let (envelope, event) = if raw {
            (Envelope::new(), BulkPayload::Raw(message.data.clone()))
        } else {
            let envelope: Envelope = foundation_json::from_slice(&message.data).map_err(|error| {
                let (pubsub, topic) = (&self.subscription.pubsub, &self.subscription.topic);
                format!("error deserializing one of the messages in bulk cloud event in pubsub {pubsub} and topic {topic}: {error}")
            })?;
            (envelope.clone(), BulkPayload::CloudEvent(envelope))
        };
        if is_expired(&envelope) {
            return Ok(None);
        }
        let entry = BulkEntry {
            entry_id: Uuid::new_v4().to_string(),
            event,
            content_type: message.content_type.clone().unwrap_or_default(),
            metadata: message.metadata.clone(),
        };
        Ok(self.rules.path(&envelope).await?.map(|path| (path.to_owned(), entry)))
    }

    /// Hands out entries until each has its verdict or the policy gives up; only what failed is tried again.
    async fn hand_out_bulk(
        &self,
        path: String,
        outgoing: Vec<Outgoing>,
        messages: &[Message],
        verdicts: &mut Verdicts,
    ) {
        let found = Mutex::new(std::mem::take(verdicts));
        let start = Instant::now();
        let Subscription { pubsub, topic, .. } = &self.subscription;
        let policy = self.service.resiliency().inbound(pubsub, ComponentKind::Pubsub);
        let handed_out = policy.run(|| self.hand_out_rest(&path, &outgoing, messages, &found)).await;
        if let Err(error) = handed_out {
            tracing::warn!(target: SCOPE, "cannot deliver all messages of a bulk of topic {topic}: {error}");
        }
        self.service.metrics().pubsub_bulk_ingress(pubsub, topic, start.elapsed());
        *verdicts = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    }

    /// Hands out the entries that have no verdict yet.
    async fn hand_out_rest(
        &self,
        path: &str,
        outgoing: &[Outgoing],
        messages: &[Message],
        found: &Mutex<Verdicts>,
    ) -> Result<(), Failure> {
        let open = |one: &&Outgoing| lock(found)[one.place].is_none();
        let rest: Vec<Outgoing> = outgoing.iter().filter(open).cloned().collect();
        let statuses = self.receiver.bulk_event(&self.bulk_event(path, &rest)).await?;
        let mut all = true;
        for (one, status) in rest.iter().zip(statuses) {
            let verdict = self.conclude(status, &messages[one.place]).await;
            all &= verdict.is_some();
            lock(found)[one.place] = verdict;
        }
        if all { Ok(()) } else { Err(Failure::new("few message(s) have failed during bulk subscribe operation")) }
    }

    async fn conclude(&self, status: EventStatus, message: &Message) -> Option<Verdict> {
        match status {
            EventStatus::Success => {
                self.count_entries("success", 1);
                Some(Verdict::Ack)
            }
            EventStatus::Drop => {
                self.count_entries("drop", 1);
                self.dead_letter(message).await;
                Some(Verdict::Ack)
            }
            EventStatus::Retry => {
                self.count_entries("retry", 1);
                None
            }
        }
    }

    fn bulk_event(&self, path: &str, outgoing: &[Outgoing]) -> BulkEvent {
        let pubsub = &self.subscription.pubsub;
        BulkEvent {
            path: path.to_owned(),
            pubsub: pubsub.clone(),
            topic: self.subscription.topic.clone(),
            entries: outgoing.iter().map(|outgoing| outgoing.entry.clone()).collect(),
            metadata: Metadata::from([("pubsubName".to_owned(), pubsub.clone())]),
            ..BulkEvent::default()
        }
    }

    /// What failed goes to the dead letter topic, if there is one.
    async fn bury(&self, messages: &[Message], verdicts: &mut Verdicts) {
        for (message, verdict) in messages.iter().zip(verdicts) {
            if verdict.is_none() && self.dead_letter(message).await {
                self.count_entries("drop", 1);
                *verdict = Some(Verdict::Ack);
            }
        }
    }

    fn count_entries(&self, status: &'static str, count: u64) {
        let (pubsub, topic) = (&self.subscription.pubsub, &self.subscription.topic);
        self.service.metrics().pubsub_bulk_ingress_events(pubsub, topic, status, count);
    }
}

fn lock(verdicts: &Mutex<Verdicts>) -> MutexGuard<'_, Verdicts> {
    verdicts.lock().unwrap_or_else(PoisonError::into_inner)
}
