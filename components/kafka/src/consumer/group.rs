//! The part of a subscription in its group: which partitions it has, and how it lets go of them.
use super::partition::{Partition, Queue};
use super::{Plan, positions};
use crate::SCOPE;
use crate::client::Context;
use futures_util::future::join_all;
use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long the app may take to finish with messages of partitions that go to another member; after that they come again there.
const LETTING_GO: Duration = Duration::from_secs(10);

/// How often it is looked whether it is.
const LOOK: Duration = Duration::from_millis(5);

/// A member of the group.
pub(super) type Member = BaseConsumer<Callbacks>;
/// Topic and number of a partition.
pub(super) type Place = (String, i32);

/// Everything about a subscription but its client.
pub(super) struct Group {
    pub(super) plan: Plan,
    pub(super) context: Context,
    /// Nobody waits for the subscription any more.
    pub(super) dropped: CancellationToken,
    /// All messages that were taken are handled, and no more are.
    pub(super) handled: CancellationToken,
    /// Something came from the brokers since this was looked at.
    pub(super) heard: AtomicBool,
    /// Where topics ended when the subscription began, by topic and partition, as far as that is known.
    ends: Mutex<BTreeMap<String, BTreeMap<i32, i64>>>,
    /// No more messages are taken.
    stopped: AtomicBool,
    member: OnceLock<Weak<Member>>,
    partitions: Mutex<BTreeMap<Place, Partition>>,
}

/// What the client calls.
pub(super) struct Callbacks(pub(super) Arc<Group>);

impl Group {
    pub(super) fn new(plan: Plan, context: Context) -> Self {
        Self {
            plan,
            context,
            dropped: CancellationToken::new(),
            handled: CancellationToken::new(),
            heard: AtomicBool::new(false),
            ends: Mutex::default(),
            stopped: AtomicBool::new(false),
            member: OnceLock::new(),
            partitions: Mutex::default(),
        }
    }

    /// Makes the client known, which the group must not keep alive.
    pub(super) fn belongs_to(&self, member: &Arc<Member>) {
        self.member.set(Arc::downgrade(member)).ok();
    }

    /// Topics, for messages of the log.
    pub(super) fn topics(&self) -> String {
        self.plan.topics.join(", ")
    }

    pub(super) fn ends(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<i32, i64>>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes no more messages.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.partitions().values().for_each(Partition::stop);
    }

    /// Whether the app has messages.
    pub(super) fn is_at_work(&self) -> bool {
        self.partitions().values().any(|partition| !partition.has_ended())
    }

    /// Ends all work at once.
    pub(super) fn clear(&self) {
        let partitions = std::mem::take(&mut *self.partitions());
        let ended: Vec<_> = partitions.into_values().map(Partition::end).collect();
        self.context.runtime().block_on(join_all(ended));
    }

    fn partitions(&self) -> MutexGuard<'_, BTreeMap<Place, Partition>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins with partitions. Their queues are there before the first message is fetched.
    fn begin(self: &Arc<Self>, member: &Member, list: &mut TopicPartitionList) {
        // A client that ends gets no more partitions, but has to say that it knows.
        let Some(shared) = self.member.get().and_then(Weak::upgrade) else { return };
        positions::settle(member, self, list);
        let _runtime = self.context.runtime().enter();
        for place in places(list) {
            if let Some(queue) = shared.split_partition_queue(&place.0, place.1) {
                let partition =
                    Partition::begin(place.clone(), Queue::new(queue), Arc::clone(self), Arc::clone(&shared));
                self.partitions().insert(place, partition);
            }
        }
        if self.stopped.load(Ordering::Relaxed) {
            self.stop();
        }
    }

    /// Lets go of partitions, once the app is done with what it has of them.
    fn end(&self, list: &TopicPartitionList) {
        let ending: Vec<_> = places(list).into_iter().filter_map(|place| self.partitions().remove(&place)).collect();
        ending.iter().for_each(Partition::stop);
        let (start, is_at_work) = (Instant::now(), || ending.iter().any(|partition| !partition.has_ended()));
        // The thread waits by itself: the runtime may be about to end.
        while is_at_work() && start.elapsed() < LETTING_GO && !self.dropped.is_cancelled() {
            thread::sleep(LOOK);
        }
        if is_at_work() && !self.dropped.is_cancelled() {
            tracing::warn!(target: SCOPE, "kafka: partitions of {} go before the app is done; messages come again", self.topics());
        }
        let ended: Vec<_> = ending.into_iter().map(Partition::end).collect();
        self.context.runtime().block_on(join_all(ended));
    }
}

fn places(list: &TopicPartitionList) -> Vec<Place> {
    list.elements().iter().map(|one| (one.topic().to_owned(), one.partition())).collect()
}

impl ConsumerContext for Callbacks {
    /// Is called while the thread of the subscription polls.
    fn rebalance(&self, member: &BaseConsumer<Self>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let is_incremental = matches!(member.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let done = if what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.0.heard.store(true, Ordering::Relaxed);
            self.0.begin(member, list);
            if is_incremental { member.incremental_assign(list) } else { member.assign(list) }
        } else {
            self.0.end(list);
            if is_incremental { member.incremental_unassign(list) } else { member.unassign() }
        };
        if let Err(error) = done {
            tracing::warn!(target: SCOPE, "kafka: partitions of {} could not be taken over: {error}", self.0.topics());
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        match result {
            Err(error) if error.rdkafka_error_code() != Some(RDKafkaErrorCode::NoOffset) => {
                tracing::debug!(target: SCOPE, "kafka: some messages of {} may come again: {error}", self.0.topics());
            }
            _ => {}
        }
    }
}

impl ClientContext for Callbacks {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.0.context.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.context.error(error, reason);
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.0.context.generate_oauth_token(config)
    }
}
