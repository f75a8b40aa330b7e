//! A subscription: a client that is a member of the group, on a thread of its own, and a task for each partition it has.
//!
//! Messages of a partition are handled one after the other. An offset is committed only when the app is done with its message
//! and with all before it.
mod group;
mod partition;
mod positions;

use crate::SCOPE;
use crate::client::{Cluster, Context, blocking};
use crate::record::{Incoming, Naming};
use async_trait::async_trait;
use component_api::pubsub::{Subscription, Verdict};
use component_api::{Ending, Error, Kind, Outage, Result, Task};
use group::{Group, Member};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::Offset;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How long it may take to leave the group.
const LEAVING: Duration = Duration::from_secs(3);
/// How often the thread looks whether the subscription shall end.
const LOOK: Duration = Duration::from_millis(200);
/// How long a look for a topic may take, and how long brokers may take to make one.
const FINDING: Duration = Duration::from_secs(1);
const MAKING: Duration = Duration::from_secs(10);
/// How long a message may take that goes back to the broker.
const GOING_BACK: Duration = Duration::from_secs(1);

/// What is done with messages.
#[async_trait]
pub(crate) trait Work: Send + Sync + 'static {
    /// Most messages that are handled together, and how long they may wait for each other.
    fn batch(&self) -> (usize, Duration) {
        (1, Duration::ZERO)
    }

    /// Handles messages of one partition, in their order; returns the verdict of each.
    async fn handle(&self, messages: &[Incoming]) -> Vec<Verdict>;
}

/// What a subscription is about.
pub(crate) struct Plan {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) naming: Arc<Naming>,
    pub(crate) topics: Vec<String>,
    pub(crate) work: Arc<dyn Work>,
    /// Ends with the component.
    pub(crate) component: CancellationToken,
    /// Whoever has messages takes no more of them.
    pub(crate) pausing: CancellationToken,
}

/// Begins to take messages, in the background if the brokers are away.
///
/// # Errors
/// What will not get better by itself, such as a password that is wrong.
pub(crate) async fn subscribe(plan: Plan) -> Result<Subscription> {
    let context = plan.cluster.context();
    let opened = blocking(move || Opened::new(plan, context)).await?;
    let (dropped, component) = (opened.group.dropped.clone(), opened.group.plan.component.clone());
    let handled = opened.group.handled.clone();
    let closing = CancellationToken::new();
    let ended = opened.start(Ending { subscription: closing.clone(), component })?;
    Ok(Subscription::new(Task::spawn(|stopping| async move {
        // Whoever drops the subscription ends its work at once.
        let dropped = dropped.drop_guard();
        let asked = async {
            stopping.cancelled().await;
            closing.cancel();
            // Brokers that are away are not waited for: the group finds out by itself that we are gone.
            handled.cancelled().await;
            sleep(LEAVING).await;
        };
        tokio::select! { _ = ended => {}, () = asked => {} }
        dropped.disarm();
    })))
}

/// A member of the group, and its thread. All calls of the client are on it, but for those that only look into a queue.
struct Opened {
    consumer: Arc<Member>,
    group: Arc<Group>,
    topics: Topics,
    outage: Outage,
}

/// The group is told only of topics that there are: of others it would not look again for long.
struct Topics {
    there: Vec<String>,
    missing: Vec<String>,
    looked: Instant,
    since: Instant,
}

impl Opened {
    /// Makes the client, and notes where the topics end now.
    fn new(plan: Plan, context: Context) -> Result<Self> {
        let (cluster, missing) = (Arc::clone(&plan.cluster), plan.topics.clone());
        let group = Arc::new(Group::new(plan, context));
        let consumer: BaseConsumer<_> = cluster
            .consuming()?
            .create_with_context(group::Callbacks(Arc::clone(&group)))
            .map_err(|error| cluster.translate(&error, Some(&group.context)))?;
        let consumer = Arc::new(consumer);
        group.belongs_to(&consumer);
        let topics = Topics { there: Vec::new(), missing, looked: Instant::now(), since: Instant::now() };
        let mut opened = Self { consumer, group, topics, outage: Outage::default() };
        match opened.find(cluster.contact()) {
            Err(error) if error.is_temporary() => opened.lost(&error),
            found => found?,
        }
        Ok(opened)
    }

    /// Starts the thread; what is returned comes with its end.
    fn start(self, ending: Ending) -> Result<oneshot::Receiver<()>> {
        let (end, ended) = oneshot::channel::<()>();
        // It is none of the runtime's threads, whose end would wait for brokers that are away.
        let thread = thread::Builder::new().name("kafka".to_owned()).spawn(move || {
            self.run(&ending);
            drop(end);
        });
        thread.map_err(|error| Error::other("cannot start a thread for a subscription").with_source(error))?;
        Ok(ended)
    }

    /// Runs until the end. Messages at work then are finished first, unless nobody waits for them any more.
    fn run(mut self, ending: &Ending) {
        while !ending.has_come() && !self.group.dropped.is_cancelled() {
            self.poll();
        }
        self.group.stop();
        while self.group.is_at_work() && !self.group.dropped.is_cancelled() {
            self.poll();
        }
        self.group.clear();
        self.group.handled.cancel();
        // The last handle of the client commits what was handled, leaves the group, and waits for that.
        drop(self.consumer);
    }

    /// Looks for topics that were missing, and tells the group of those that are there now.
    fn find(&mut self, longest: Duration) -> Result<()> {
        self.topics.looked = Instant::now();
        let mut found = Vec::new();
        for topic in &self.topics.missing {
            if positions::note(&self.consumer, &self.group, topic, longest)? {
                found.push(topic.clone());
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        self.topics.missing.retain(|topic| !found.contains(topic));
        self.topics.there.append(&mut found);
        let names: Vec<_> = self.topics.there.iter().map(String::as_str).collect();
        let subscribed = self.consumer.subscribe(&names);
        subscribed.map_err(|error| self.group.plan.cluster.translate(&error, Some(&self.group.context)))
    }

    fn find_again(&mut self) {
        match self.find(FINDING) {
            Err(error) => self.lost(&error),
            Ok(()) if self.topics.missing.is_empty() || self.topics.since.elapsed() < MAKING => {}
            Ok(()) => {
                let missing = self.topics.missing.join(", ");
                self.lost(&Error::new(Kind::NotFound, format!("there is no topic {missing}; create it")));
            }
        }
    }

    /// Serves the group for a while.
    fn poll(&mut self) {
        if !self.topics.missing.is_empty() && self.topics.looked.elapsed() > LOOK {
            self.find_again();
        }
        let consumer = Arc::clone(&self.consumer);
        match consumer.poll(LOOK) {
            Some(Ok(message)) => {
                // It came before its partition had a queue of its own, to which it goes once more.
                let (topic, partition) = (message.topic(), message.partition());
                let back = Offset::Offset(message.offset());
                if let Err(error) = consumer.seek(topic, partition, back, GOING_BACK) {
                    tracing::debug!(target: SCOPE, "kafka: a message of {topic} stays with the broker: {error}");
                }
            }
            Some(Err(error)) => self.failed(&error),
            None => self.look(),
        }
    }

    /// Says when the brokers are back.
    fn look(&mut self) {
        if self.group.heard.swap(false, Ordering::Relaxed) && self.outage.worked() {
            tracing::info!(target: SCOPE, "kafka: messages of {} come again", self.group.topics());
        }
    }

    /// Whether it is an outage; one broker may go while others are there.
    fn failed(&mut self, error: &KafkaError) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::BrokerTransportFailure) {
            return;
        }
        let error = self.group.plan.cluster.translate(error, Some(&self.group.context));
        self.lost(&error);
    }

    fn lost(&mut self, error: &Error) {
        if self.outage.failed() {
            tracing::warn!(target: SCOPE, "kafka: no messages of {} for now: {error}", self.group.topics());
        }
    }
}
