//! The loop of a subscription: take messages, hand them out, acknowledge what was done, and look after what was not.
use super::claim::abandoned;
use super::entry::message;
use super::group::Group;
use super::metadata::PubSubMetadata;
use crate::SCOPE;
use crate::connection::Link;
use component_api::pubsub::{Deliver, Verdict};
use component_api::{Outage, Result};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use redis::streams::StreamId;
use std::collections::{BTreeSet, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

/// Pause after the server failed; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What came of a wait for messages: the connection, to wait on again, and the messages.
type Waited = (Option<Link>, Result<Vec<StreamId>>);
/// Something that goes on beside the rest.
type Running<T> = FuturesUnordered<BoxFuture<'static, T>>;

/// A subscription to one topic.
pub(super) struct Consumer {
    group: Group,
    metadata: PubSubMetadata,
    deliver: Arc<dyn Deliver>,
    /// Messages that this process has taken and is not done with.
    ours: BTreeSet<String>,
    /// Those of them that wait for their turn.
    queue: VecDeque<StreamId>,
    /// Those of them that the app has; each returns its id, and whether it shall not come again.
    handlers: Running<(String, bool)>,
    /// Those of them that the app is done with and the server is not told of.
    done: Vec<String>,
    /// The word to the server about some of them, if any: those that are done meanwhile go together.
    words: Running<(Vec<String>, Result<()>)>,
    /// The wait for new messages, if any.
    waits: Running<Waited>,
    /// The look for abandoned messages, if any.
    looks: Running<Result<Vec<StreamId>>>,
    /// The renewal of the claim to our messages, if any.
    renewals: Running<Result<()>>,
    /// Number of the connection that waits, by which the server can be told to end the wait.
    waiting: Arc<AtomicI64>,
    pause: Duration,
    outage: Outage,
    renewal_outage: Outage,
}

impl Consumer {
    /// An app that takes bulks is handed as many messages at the same time as it would have in one.
    pub(super) fn new(group: Group, mut metadata: PubSubMetadata, deliver: Arc<dyn Deliver>) -> Self {
        metadata.concurrency = metadata.concurrency.max(1).max(deliver.batch_size());
        Self {
            group,
            metadata,
            deliver,
            ours: BTreeSet::new(),
            queue: VecDeque::new(),
            handlers: Running::new(),
            done: Vec::new(),
            words: Running::new(),
            waits: Running::new(),
            looks: Running::new(),
            renewals: Running::new(),
            waiting: Arc::default(),
            pause: PAUSE,
            outage: Outage::default(),
            renewal_outage: Outage::default(),
        }
    }

    /// Runs until `stopping` resolves; messages at work then are finished first.
    pub(super) async fn run(mut self, stopping: impl Future<Output = ()>) {
        let mut stopping = pin!(stopping);
        let mut link = None;
        let mut look = self.metadata.redelivery().map(times);
        let mut renew = times(self.metadata.renewal());
        loop {
            if self.waits.is_empty() && self.free() > 0 {
                self.waits.push(self.wait(link.take()));
            }
            tokio::select! {
                biased;
                () = &mut stopping => break,
                Some((id, is_done)) = self.handlers.next() => self.handled(id, is_done),
                Some((ids, told)) = self.words.next() => self.told(&ids, told),
                Some((back, found)) = self.waits.next() => {
                    link = back;
                    self.take(found);
                }
                Some(found) = self.looks.next() => self.take(found),
                Some(renewed) = self.renewals.next() => self.renewed(renewed),
                () = tick(&mut look), if self.looks.is_empty() => self.looks.push(self.look()),
                _ = renew.tick(), if self.renewals.is_empty() => self.renew(),
            }
        }
        self.finish(renew).await;
    }

    /// A wait that has begun may have taken messages, so it is not given up but ended by the server.
    async fn finish(mut self, mut renew: Interval) {
        if !self.waits.is_empty() {
            self.group.wake(self.waiting.load(Ordering::Relaxed)).await;
        }
        while !(self.waits.is_empty() && self.looks.is_empty() && self.ours.is_empty()) {
            tokio::select! {
                Some((id, is_done)) = self.handlers.next() => self.handled(id, is_done),
                Some((ids, told)) = self.words.next() => self.told(&ids, told),
                Some((_, found)) = self.waits.next() => self.take(found),
                Some(found) = self.looks.next() => self.take(found),
                Some(renewed) = self.renewals.next() => self.renewed(renewed),
                _ = renew.tick(), if self.renewals.is_empty() => self.renew(),
            }
        }
    }

    /// What shall come again is left as it is until it has been alone for long enough.
    fn handled(&mut self, id: String, is_done: bool) {
        if is_done {
            self.done.push(id);
            self.tell();
        } else {
            self.ours.remove(&id);
        }
        self.hand_out();
    }

    fn tell(&mut self) {
        if self.words.is_empty() && !self.done.is_empty() {
            let (group, ids) = (self.group.clone(), std::mem::take(&mut self.done));
            self.words.push(Box::pin(async move {
                let told = group.acknowledge(&ids).await;
                (ids, told)
            }));
        }
    }

    fn told(&mut self, ids: &[String], told: Result<()>) {
        if let Err(error) = told {
            let (count, topic) = (ids.len(), &self.group.topic);
            tracing::warn!(target: SCOPE, "redis streams: {count} messages of {topic} will come again: {error}");
        }
        for id in ids {
            self.ours.remove(id);
        }
        self.tell();
    }

    /// How many more messages can be handled, unless the server is told of too many.
    fn free(&self) -> usize {
        let busy = self.handlers.len() + self.queue.len();
        let most = self.metadata.concurrency + self.metadata.queue_depth.max(1);
        self.metadata.concurrency.saturating_sub(busy).min(most.saturating_sub(self.ours.len()))
    }

    /// Waits for as many messages as can be handled, on a connection of its own.
    fn wait(&self, link: Option<Link>) -> BoxFuture<'static, Waited> {
        let (group, waiting) = (self.group.clone(), Arc::clone(&self.waiting));
        let count = self.free().min(self.metadata.queue_depth.max(1));
        let pause = if link.is_some() { Duration::ZERO } else { self.pause - PAUSE };
        Box::pin(async move {
            // Even the shortest sleep lasts up to a millisecond, in which messages would wait.
            if !pause.is_zero() {
                sleep(pause).await;
            }
            let mut link = match link {
                Some(link) => link,
                None => match connect(&group, &waiting).await {
                    Ok(link) => link,
                    Err(error) => return (None, Err(error)),
                },
            };
            let found = group.read(&mut link, count).await;
            (found.is_ok().then_some(link), found)
        })
    }

    fn look(&self) -> BoxFuture<'static, Result<Vec<StreamId>>> {
        let (group, metadata, ours, most) = (self.group.clone(), self.metadata.clone(), self.ours.clone(), self.free());
        Box::pin(async move { abandoned(&group, &metadata, &ours, most).await })
    }

    /// Takes what was found; where that failed, the next try comes later.
    fn take(&mut self, found: Result<Vec<StreamId>>) {
        match found {
            Ok(found) => {
                self.pause = PAUSE;
                if self.outage.worked() {
                    tracing::info!(target: SCOPE, "redis streams: messages of {} come again", self.group.topic);
                }
                self.queue.extend(found.into_iter().filter(|entry| self.ours.insert(entry.id.clone())));
                self.hand_out();
            }
            Err(error) => {
                if self.outage.failed() {
                    tracing::warn!(target: SCOPE, "redis streams: no messages of {} for now: {error}", self.group.topic);
                }
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    fn hand_out(&mut self) {
        while self.handlers.len() < self.metadata.concurrency
            && let Some(entry) = self.queue.pop_front()
        {
            self.handlers.push(handle(self.group.clone(), Arc::clone(&self.deliver), entry));
        }
    }

    fn renew(&self) {
        if self.ours.is_empty() {
            return;
        }
        let (group, ids) = (self.group.clone(), self.ours.iter().cloned().collect::<Vec<_>>());
        self.renewals.push(Box::pin(async move { group.renew(&ids).await }));
    }

    fn renewed(&mut self, renewed: Result<()>) {
        match renewed {
            Ok(()) => {
                self.renewal_outage.worked();
            }
            Err(error) if self.renewal_outage.failed() => {
                tracing::warn!(target: SCOPE, "redis streams: messages of {} may come twice: {error}", self.group.topic);
            }
            Err(_) => {}
        }
    }
}

async fn connect(group: &Group, waiting: &AtomicI64) -> Result<Link> {
    group.create().await?;
    let mut link = group.connect().await?;
    let id = redis::cmd("CLIENT").arg("ID").query_async::<i64>(&mut link).await;
    waiting.store(id.unwrap_or_default(), Ordering::Relaxed);
    Ok(link)
}

/// Hands out a message.
fn handle(group: Group, deliver: Arc<dyn Deliver>, entry: StreamId) -> BoxFuture<'static, (String, bool)> {
    Box::pin(async move {
        let verdict = deliver.deliver(message(&group.topic, &entry)).await;
        (entry.id, verdict != Verdict::Retry)
    })
}

fn times(period: Duration) -> Interval {
    let mut times = interval(period);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    times
}

/// Waits for the next of these times, or for ever.
async fn tick(times: &mut Option<Interval>) {
    match times {
        Some(times) => drop(times.tick().await),
        None => std::future::pending().await,
    }
}
