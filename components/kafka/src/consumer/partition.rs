//! The work on one partition: messages are taken, handled, and their offsets given to be committed, in their order.
use super::group::{Callbacks, Group, Member, Place};
use crate::SCOPE;
use crate::record::Incoming;
use component_api::Task;
use component_api::pubsub::Verdict;
use rdkafka::consumer::Consumer;
use rdkafka::consumer::base_consumer::PartitionQueue;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

/// After which time the queue is looked at even if the client did not say that something came.
const LOOK: Duration = Duration::from_secs(5);

/// A partition that we have, and the task that works on it.
pub(super) struct Partition {
    task: Task,
    stopping: CancellationToken,
    ended: CancellationToken,
}

/// What was fetched of a partition.
pub(super) struct Queue {
    queue: PartitionQueue<Callbacks>,
    came: Arc<Notify>,
}

/// Works on a partition.
struct Worker {
    place: Place,
    queue: Queue,
    group: Arc<Group>,
    member: Arc<Member>,
    stopping: CancellationToken,
    /// Says that the work has ended, after everything above is gone.
    _ended: DropGuard,
}

impl Partition {
    /// Begins with the work. Must be called in a runtime.
    pub(super) fn begin(place: Place, queue: Queue, group: Arc<Group>, member: Arc<Member>) -> Self {
        let (stopping, ended) = (CancellationToken::new(), CancellationToken::new());
        let dropped = group.dropped.clone();
        let _ended = ended.clone().drop_guard();
        let worker = Worker { place, queue, group, member, stopping: stopping.clone(), _ended };
        let task = Task::spawn(|_| async move {
            dropped.run_until_cancelled(worker.run()).await;
        });
        Self { task, stopping, ended }
    }

    /// Takes no more messages.
    pub(super) fn stop(&self) {
        self.stopping.cancel();
    }

    /// Whether no message is at work, and none will be.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Ends the work at once, and waits until nothing of it is left.
    pub(super) async fn end(self) {
        drop(self.task);
        self.ended.cancelled().await;
    }
}

impl Queue {
    pub(super) fn new(mut queue: PartitionQueue<Callbacks>) -> Self {
        let came = Arc::new(Notify::new());
        let notify = Arc::clone(&came);
        queue.set_nonempty_callback(move || notify.notify_one());
        Self { queue, came }
    }
}

impl Worker {
    async fn run(self) {
        while let Some(messages) = self.next().await {
            if !self.handle(messages).await {
                return;
            }
        }
    }

    /// The next messages to be handled together; none at the end.
    async fn next(&self) -> Option<Vec<Incoming>> {
        let (most, longest) = self.group.plan.work.batch();
        let mut messages = vec![self.take().await?];
        let end = Instant::now() + longest;
        while messages.len() < most {
            match timeout_at(end, self.take()).await {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => return None,
                Err(_) => break,
            }
        }
        Some(messages)
    }

    /// The next message; none at the end.
    async fn take(&self) -> Option<Incoming> {
        loop {
            if self.stopping.is_cancelled() {
                return None;
            }
            if self.group.plan.pausing.is_cancelled() {
                self.stopping.cancelled().await;
                return None;
            }
            if let Some(message) = self.look() {
                return Some(message);
            }
            tokio::select! {
                () = self.queue.came.notified() => {}
                () = sleep(LOOK) => {}
                () = self.stopping.cancelled() => {}
                () = self.group.plan.pausing.cancelled() => {}
            }
        }
    }

    fn look(&self) -> Option<Incoming> {
        match self.queue.queue.poll(Duration::ZERO)? {
            Ok(message) => {
                self.group.heard.store(true, Ordering::Relaxed);
                Some(self.group.plan.naming.incoming(&message))
            }
            Err(error) => {
                tracing::debug!(target: SCOPE, "kafka: partition {} of {}: {error}", self.place.1, self.place.0);
                None
            }
        }
    }

    /// Handles messages until each is done or given up. Returns whether to go on with others.
    async fn handle(&self, mut open: Vec<Incoming>) -> bool {
        let metadata = &self.group.plan.cluster.metadata;
        let (last, mut pauses) = (open.last().map(|message| message.offset), metadata.back_off.pauses());
        let mut has_failed = false;
        while !self.hand_out(&mut open, last).await {
            let Some(pause) = pauses.next().filter(|_| metadata.consuming.retries()) else {
                self.given_up(&open);
                return true;
            };
            self.failed(&open, has_failed);
            has_failed = true;
            tokio::select! {
                () = sleep(pause) => {}
                () = self.stopping.cancelled() => return false,
            }
        }
        self.recovered(has_failed);
        true
    }

    /// Has messages handled; those that are done are gone from `open` then. Returns whether that is all of them, up to `last`.
    async fn hand_out(&self, open: &mut Vec<Incoming>, last: Option<i64>) -> bool {
        // What gets no verdict comes again.
        let mut verdicts = self.group.plan.work.handle(open).await.into_iter();
        open.retain(|_| verdicts.next().unwrap_or(Verdict::Retry) == Verdict::Retry);
        self.store(open.first().map_or(last, |first| first.offset.checked_sub(1)));
        open.is_empty()
    }

    /// Has all messages up to this one committed with the next commit.
    fn store(&self, offset: Option<i64>) {
        let (topic, partition) = (&self.place.0, self.place.1);
        let Some(offset) = offset.filter(|offset| *offset >= 0) else { return };
        if let Err(error) = self.member.store_offset(topic, partition, offset) {
            tracing::debug!(target: SCOPE, "kafka: message {offset} of partition {partition} of {topic} will come again: {error}");
        }
    }

    fn failed(&self, open: &[Incoming], is_known: bool) {
        if !is_known && let Some(first) = open.first() {
            let (topic, partition) = (&self.place.0, self.place.1);
            tracing::warn!(target: SCOPE, "kafka: message {} of partition {partition} of {topic} failed, and is tried again",
                first.offset
            );
        }
    }

    fn recovered(&self, has_failed: bool) {
        if has_failed {
            tracing::info!(target: SCOPE, "kafka: what failed in partition {} of {} is done", self.place.1, self.place.0);
        }
    }

    fn given_up(&self, open: &[Incoming]) {
        for message in open {
            let (topic, partition) = (&self.place.0, self.place.1);
            tracing::error!(target: SCOPE, "kafka: message {} of partition {partition} of {topic} failed, and is passed over",
                message.offset
            );
        }
    }
}
