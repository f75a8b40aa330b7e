//! The loop of a subscription: take messages of a queue, have them handled, and begin anew when the connection breaks.
use crate::SCOPE;
use crate::connection::Connections;
use crate::error::short;
use async_trait::async_trait;
use component_api::pubsub::Subscription;
use component_api::{Ending, Error, Outage, Result, Task};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Consumer};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Most bytes of the name of a consumer.
const LONGEST_TAG: usize = 255;
/// How long the server may take to let go of a consumer.
const LEAVING: Duration = Duration::from_secs(5);

/// What is done with the messages of a queue.
#[async_trait]
pub(crate) trait Work: Send + Sync + 'static {
    /// Its name in messages of the log.
    fn name(&self) -> &str;

    /// Declares what is needed; returns the queue.
    async fn prepare(&self, channel: &Channel) -> Result<ShortString>;

    /// Handles a message.
    async fn handle(&self, delivery: &Delivery) -> Answer;
}

/// What the server is told of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    /// It comes again.
    Again,
    /// It goes to the dead letters, if there are any.
    Refused,
}

/// How messages flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    /// Most messages that are sent ahead.
    pub(crate) prefetch: u16,
    /// Most messages that are handled at the same time.
    pub(crate) at_once: usize,
    /// The server forgets a message as soon as it was sent.
    pub(crate) automatic: bool,
    /// Pause before the next try to connect.
    pub(crate) pause: Duration,
}

/// Someone who takes messages.
struct Subscriber {
    connections: Arc<Connections>,
    work: Arc<dyn Work>,
    flow: Flow,
    ending: Ending,
    outage: Outage,
    /// Messages that are being handled, of connections that broke too.
    running: FuturesUnordered<BoxFuture<'static, ()>>,
}

/// A consumer on a channel of its own.
struct Opened {
    channel: Channel,
    consumer: Consumer,
}

/// Begins to take messages, in the background if the server is away.
///
/// # Errors
/// What will not get better by itself, such as a queue that exists with other settings.
pub(crate) async fn subscribe(
    connections: Arc<Connections>,
    work: Arc<dyn Work>,
    flow: Flow,
    component: CancellationToken,
) -> Result<Subscription> {
    let mut outage = Outage::default();
    let opened = match open(&connections, &*work, flow).await {
        Err(error) if error.is_temporary() => {
            outage.failed();
            tracing::warn!(target: SCOPE, "rabbitmq: subscribing to {} is tried again: {error}", work.name());
            None
        }
        opened => Some(opened?),
    };
    Ok(Subscription::new(Task::spawn(|subscription| {
        let ending = Ending { subscription, component };
        let running = FuturesUnordered::new();
        Subscriber { connections, work, flow, ending, outage, running }.run(opened)
    })))
}

async fn open(connections: &Connections, work: &dyn Work, flow: Flow) -> Result<Opened> {
    let channel = connections.channel().await?;
    connections.within(channel.basic_qos(flow.prefetch, BasicQosOptions::default())).await?;
    let queue = work.prepare(&channel).await?;
    let options = BasicConsumeOptions { no_ack: flow.automatic, ..BasicConsumeOptions::default() };
    let tag = tag(queue.as_str())?;
    let consumer = connections.within(channel.basic_consume(queue, tag, options, FieldTable::default())).await?;
    Ok(Opened { channel, consumer })
}

/// A name that no other consumer has.
fn tag(queue: &str) -> Result<ShortString> {
    let tag = format!("{queue}-{}", uuid::Uuid::new_v4());
    let mut start = tag.len().saturating_sub(LONGEST_TAG);
    while !tag.is_char_boundary(start) {
        start += 1;
    }
    short(&tag[start..])
}

impl Subscriber {
    /// Runs until the end; messages at work then are finished first.
    async fn run(mut self, mut opened: Option<Opened>) {
        while !self.ending.has_come() {
            if let Some(opened) = opened.take() {
                self.serve(opened).await;
                continue;
            }
            match open(&self.connections, &*self.work, self.flow).await {
                Ok(again) => {
                    if self.outage.worked() {
                        tracing::info!(target: SCOPE, "rabbitmq: messages of {} come again", self.work.name());
                    }
                    opened = Some(again);
                }
                Err(error) => self.rest(&error).await,
            }
        }
        while self.running.next().await.is_some() {}
    }

    async fn rest(&mut self, error: &Error) {
        if self.outage.failed() {
            tracing::warn!(target: SCOPE, "rabbitmq: no messages of {} for now: {error}", self.work.name());
        }
        let pause = sleep(self.flow.pause);
        let mut pause = std::pin::pin!(pause);
        loop {
            tokio::select! {
                () = self.ending.comes() => return,
                () = &mut pause => return,
                Some(()) = self.running.next() => {}
            }
        }
    }

    /// Takes messages until the end, or until the channel breaks.
    async fn serve(&mut self, Opened { channel, mut consumer }: Opened) {
        loop {
            tokio::select! {
                biased;
                () = self.ending.comes() => break,
                Some(()) = self.running.next() => {}
                delivery = consumer.next(), if self.running.len() < self.flow.at_once => match delivery {
                    Some(Ok(delivery)) => self.running.push(self.handle(delivery)),
                    Some(Err(error)) => return self.lost(&self.connections.server.translate(&error)),
                    None => return self.lost(&Error::other("the server let go of the consumer")),
                }
            }
        }
        // What was sent ahead and not handled comes again, to whoever is there, as soon as the channel ends.
        let leave = async {
            channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await.ok();
        };
        timeout(LEAVING, leave).await.ok();
        while self.running.next().await.is_some() {}
        timeout(LEAVING, channel.close(200, "the subscription ends".into())).await.ok();
    }

    fn lost(&mut self, error: &Error) {
        if self.outage.failed() {
            tracing::warn!(target: SCOPE, "rabbitmq: no messages of {} for now: {error}", self.work.name());
        }
    }

    fn handle(&self, delivery: Delivery) -> BoxFuture<'static, ()> {
        let (work, ending, automatic) = (Arc::clone(&self.work), self.ending.clone(), self.flow.automatic);
        Box::pin(async move {
            let answer = work.handle(&delivery).await;
            if !automatic && let Err(error) = tell(&delivery, answer, ending.has_come()).await {
                tracing::warn!(target: SCOPE, "rabbitmq: a message of {} will come again: {error}", work.name());
            }
        })
    }
}

/// Tells the server what became of a message. An app that is on its way out refuses nothing for good.
async fn tell(delivery: &Delivery, answer: Answer, is_end: bool) -> lapin::Result<bool> {
    match answer {
        Answer::Done => delivery.acker.ack(BasicAckOptions::default()).await,
        refused => {
            let requeue = is_end || refused == Answer::Again;
            delivery.acker.nack(BasicNackOptions { requeue, ..BasicNackOptions::default() }).await
        }
    }
}
