//! The loop of a subscription: take messages, have them handled, tell the server, and begin anew when the consumer is lost.
use super::consumer::{Bound, Plan};
use super::ledger::{Acknowledging, Arrival, Ledger};
use super::work::{Delivery, Work};
use crate::SCOPE;
use crate::connection::{Connections, Link, Presence};
use async_nats::StatusCode;
use async_nats::jetstream::consumer::AckPolicy;
use async_nats::jetstream::{self, AckKind};
use component_api::pubsub::{Deliver, Subscription};
use component_api::{Ending, Error, Outage, Result, Task};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Most messages that are handled at the same time, and that wait for it.
const AT_ONCE: usize = 1000;
const ROOM: usize = 65_536;
/// Pause before the consumer is looked for again; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long nothing may come until it is asked whether the consumer is still there.
const QUIET: Duration = Duration::from_secs(30);
/// How long the last messages may take that are on their way at the end.
const LEAVING: Duration = Duration::from_secs(2);
/// How long what failed may take to come again, beyond the time that is asked for.
const COMES_AGAIN: Duration = Duration::from_secs(300);
/// The shortest and the longest time between two looks at what waits.
const TICK: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));
/// The server has stopped until the answer to this header's subject comes.
const STALLED: &str = "Nats-Consumer-Stalled";

/// Someone who takes messages.
struct Subscriber {
    connections: Arc<Connections>,
    plan: Plan,
    work: Arc<Work>,
    ending: Ending,
    outage: Outage,
    pause: Duration,
    at_once: usize,
    /// Messages that have come and are not handled yet.
    waiting: VecDeque<Delivery>,
    /// Messages that are being handled, of consumers that were lost too.
    running: FuturesUnordered<BoxFuture<'static, ()>>,
    /// Whether there was a consumer before.
    has_begun: bool,
}

/// Begins to take messages, in the background if the server is away.
///
/// # Errors
/// What will not get better by itself, such as a stream that does not exist.
pub(super) async fn subscribe(
    connections: Arc<Connections>,
    plan: Plan,
    deliver: Arc<dyn Deliver>,
    component: CancellationToken,
) -> Result<Subscription> {
    let mut outage = Outage::default();
    let bound = match bind(&connections, &plan, None).await {
        Err(error) if error.is_temporary() => {
            outage.failed();
            tracing::warn!(target: SCOPE, "nats: subscribing to {} is tried again: {error}", plan.topic);
            None
        }
        bound => Some(bound?),
    };
    let is_alone = plan.metadata.queue_group_name.is_empty();
    let acknowledging = match plan.metadata.ack_policy() {
        AckPolicy::None => Acknowledging::Never,
        AckPolicy::All if is_alone => Acknowledging::AllBefore,
        _ => Acknowledging::Each,
    };
    let at_once = if plan.metadata.is_parallel()? { AT_ONCE } else { 1 };
    Ok(Subscription::new(Task::spawn(|subscription| {
        let ending = Ending { subscription, component };
        let (topic, ack_wait) = (plan.topic.clone(), plan.metadata.ack_wait.0);
        let remembers_failures = is_alone || !plan.is_durable();
        let ledger = Ledger::new(acknowledging, COMES_AGAIN + 2 * ack_wait);
        let work = Arc::new(Work { topic, deliver, ledger, ack_wait, remembers_failures, ending: ending.clone() });
        let (waiting, running) = (VecDeque::new(), FuturesUnordered::new());
        let (pause, has_begun) = (PAUSE, false);
        Subscriber { connections, plan, work, ending, outage, pause, at_once, waiting, running, has_begun }.run(bound)
    })))
}

async fn bind(connections: &Connections, plan: &Plan, resume: Option<u64>) -> Result<Bound> {
    Box::pin(plan.bind(connections.link().await?, resume)).await
}

impl Subscriber {
    /// Runs until the end; messages at work then are finished first.
    async fn run(mut self, mut bound: Option<Bound>) {
        while !self.ending.has_come() {
            if let Some(bound) = bound.take() {
                self.begin(&bound);
                self.serve(bound).await;
                continue;
            }
            let (connections, plan) = (Arc::clone(&self.connections), self.plan.clone());
            let resume = self.has_begun.then(|| self.work.ledger.first_open());
            match self.alongside(bind(&connections, &plan, resume)).await {
                Ok(again) => bound = Some(again),
                Err(error) => self.rest(&error).await,
            }
        }
        while self.running.next().await.is_some() {}
    }

    fn begin(&mut self, bound: &Bound) {
        self.work.ledger.begins(bound.info.delivered.stream_sequence + 1);
        (self.has_begun, self.pause) = (true, PAUSE);
        if self.outage.worked() {
            tracing::info!(target: SCOPE, "nats: messages of {} come again", self.plan.topic);
        }
    }

    async fn rest(&mut self, error: &Error) {
        self.lost(error);
        let (ending, pause) = (self.ending.clone(), self.pause);
        self.alongside(async {
            tokio::select! {
                () = ending.comes() => {}
                () = sleep(pause) => {}
            }
        })
        .await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    fn lost(&mut self, error: &Error) {
        if self.outage.failed() {
            tracing::warn!(target: SCOPE, "nats: no messages of {} for now: {error}", self.plan.topic);
        }
    }

    /// Does something while messages go on being handled.
    async fn alongside<T>(&mut self, something: impl Future<Output = T>) -> T {
        let mut something = pin!(something);
        loop {
            tokio::select! {
                done = &mut something => return done,
                Some(()) = self.running.next() => {}
            }
        }
    }

    /// Takes messages until the end, or until the consumer is lost.
    async fn serve(&mut self, mut bound: Bound) {
        let (ending, mut presence) = (self.ending.clone(), bound.link.presence());
        let mut returns = presence.borrow_and_update().returns;
        let mut ticks = interval((bound.ack_wait() / 3).clamp(TICK.0, TICK.1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            self.start_some(&bound);
            let has_room = self.waiting.len() < ROOM;
            let is_doubtful = tokio::select! {
                biased;
                () = ending.comes() => return self.leave(bound).await,
                Some(()) = self.running.next() => false,
                message = bound.inbox.next(), if has_room => {
                    heard = Instant::now();
                    let Some(message) = message else { return self.lost(&Error::other("the connection has ended")) };
                    self.arrived(&bound, message).await;
                    false
                }
                _ = ticks.tick() => {
                    self.extend(&bound.link).await;
                    heard.elapsed() > quiet(&bound)
                }
                Some(now) = returned(&mut presence, returns) => {
                    returns = now;
                    true
                }
            };
            if is_doubtful {
                heard = Instant::now();
                let plan = self.plan.clone();
                match self.alongside(plan.is_there(&bound.link, &bound.info)).await {
                    Ok(true) => {}
                    Ok(false) => return self.lost(&Error::other("the server has lost the consumer")),
                    // It is asked again when the connection is back, or nothing comes.
                    Err(error) => {
                        tracing::debug!(target: SCOPE, "nats: is there a consumer of {}? {error}", self.plan.topic)
                    }
                }
            }
        }
    }

    fn start_some(&mut self, bound: &Bound) {
        while self.running.len() < self.at_once
            && let Some(delivery) = self.waiting.pop_front()
        {
            let (work, client) = (Arc::clone(&self.work), bound.link.client.clone());
            self.running.push(Box::pin(async move { work.handle(delivery, &client).await }));
        }
    }

    async fn arrived(&mut self, bound: &Bound, message: async_nats::Message) {
        if message.status == Some(StatusCode::IDLE_HEARTBEAT) {
            return self.beaten(bound, message).await;
        }
        let message = jetstream::Message { message, context: bound.link.context.clone() };
        let (Ok(info), Some(reply)) = (message.info(), message.reply.clone()) else {
            return tracing::debug!(target: SCOPE, "nats: what came for {} is no message of a stream", self.plan.topic);
        };
        let (key, deliveries) = ((info.stream_sequence, info.published), info.delivered);
        match self.work.ledger.arrived(key, reply) {
            Arrival::Handle => {
                let is_last = bound.is_last(deliveries);
                let (subject, data) = (message.subject.to_string(), message.payload.clone());
                self.waiting.push_back(Delivery::Message { key, deliveries, is_last, subject, data });
            }
            Arrival::InHand => {}
            Arrival::Done => self.work.done(key, &bound.link.client).await,
        }
    }

    /// Takes a sign that the server is there. It may ask whether we are done with what it has sent.
    async fn beaten(&mut self, bound: &Bound, message: async_nats::Message) {
        if let Some(reply) = message.reply {
            return self.waiting.push_back(Delivery::Question { reply });
        }
        let stalled =
            message.headers.as_ref().and_then(|headers| headers.get(STALLED)).map(|it| it.as_str().to_owned());
        let is_asked = self.waiting.iter().any(|waiting| matches!(waiting, Delivery::Question { .. }));
        if let Some(reply) = stalled.filter(|_| !is_asked) {
            self.work.tell(&bound.link.client, reply.into(), "".into()).await;
        }
    }

    /// The time for an answer runs from when the app gets a message, not while it waits here.
    async fn extend(&mut self, link: &Link) {
        for delivery in &self.waiting {
            if let Delivery::Message { key, .. } = delivery
                && let Some(reply) = self.work.ledger.reply(*key)
            {
                self.work.tell(&link.client, reply, AckKind::Progress.into()).await;
            }
        }
    }

    /// Takes no more messages. What waits goes to others at once; what the server would not send again is handled before.
    async fn leave(&mut self, mut bound: Bound) {
        bound.inbox.drain().await.ok();
        while let Ok(Some(message)) = timeout(LEAVING, self.alongside(bound.inbox.next())).await {
            self.arrived(&bound, message).await;
        }
        let (last, others): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(Delivery::is_last);
        self.waiting = last;
        for delivery in others {
            self.work.give_back(&delivery, &bound.link.client).await;
        }
        self.start_some(&bound);
        while self.running.next().await.is_some() {
            self.start_some(&bound);
        }
        bound.link.flush().await;
    }
}

/// Waits until the server has come back once more; returns how often that was.
async fn returned(presence: &mut watch::Receiver<Presence>, returns: u64) -> Option<u64> {
    presence.wait_for(|now| now.returns != returns).await.ok().map(|now| now.returns)
}

/// How long nothing may come until the consumer is in doubt.
fn quiet(bound: &Bound) -> Duration {
    let heartbeat = bound.info.config.idle_heartbeat;
    if heartbeat.is_zero() { QUIET } else { (heartbeat * 3).min(QUIET) }
}
