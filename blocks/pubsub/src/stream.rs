//! Subscriptions of streams: an app without a port asks for a topic and answers events on one gRPC call
//! (protocols.md 7.3, surface.md 0.11).
use crate::failure::Failure;
use crate::receiver::Receiver;
use crate::subscriber::Subscriber;
use async_trait::async_trait;
use foundation_app::{BulkEvent, EventStatus, Rule, Subscription, TopicEvent, topic_event_request};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream, Stream};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot, watch};
use tonic::{Response, Status};
use wire::runtime::v1::subscribe_topic_events_request_alpha1::SubscribeTopicEventsRequestType as Asked;
use wire::runtime::v1::subscribe_topic_events_response_alpha1::SubscribeTopicEventsResponseType as Told;
use wire::runtime::v1::topic_event_response::TopicEventResponseStatus;
use wire::runtime::v1::{
    SubscribeTopicEventsRequestAlpha1, SubscribeTopicEventsRequestInitialAlpha1,
    SubscribeTopicEventsRequestProcessedAlpha1, SubscribeTopicEventsResponseAlpha1,
    SubscribeTopicEventsResponseInitialAlpha1, TopicEventRequest,
};

/// Events on their way into a stream; a broker waits when there are more.
const QUEUE: usize = 64;

/// What the app gets on the stream.
pub type Events = BoxStream<'static, Result<SubscribeTopicEventsResponseAlpha1, Status>>;

type Outbox = mpsc::Sender<Result<SubscribeTopicEventsResponseAlpha1, Status>>;

/// Serves one stream until it or the sidecar ends. What is wrong is said on the stream.
pub fn subscribe_topic_events<S>(subscriber: &Arc<Subscriber>, requests: S) -> Response<Events>
where
    S: Stream<Item = Result<SubscribeTopicEventsRequestAlpha1, Status>> + Send + Unpin + 'static,
{
    let (outbox, events) = mpsc::channel(QUEUE);
    let serving = Arc::clone(subscriber);
    subscriber.drain().spawn(async move {
        let gone = outbox.clone();
        let served = async {
            let end = serve(&serving, requests, &outbox).await;
            outbox.send(Err(end)).await.ok();
        };
        tokio::select! {
            () = served => {}
            () = gone.closed() => {}
        }
    });
    let events = stream::unfold(events, |mut events| async { Some((events.recv().await?, events)) });
    Response::new(events.boxed())
}

/// Returns why the stream ends.
async fn serve<S>(subscriber: &Arc<Subscriber>, mut requests: S, outbox: &Outbox) -> Status
where
    S: Stream<Item = Result<SubscribeTopicEventsRequestAlpha1, Status>> + Send + Unpin,
{
    let first = tokio::select! {
        first = next(&mut requests) => first,
        () = subscriber.drain().stopped() => return Status::unknown("api server closed"),
    };
    let subscription = match first.and_then(subscription) {
        Ok(subscription) => subscription,
        Err(status) => return status,
    };
    let (answers, open) = (Arc::<Answers>::default(), watch::Sender::new(false));
    let receiver = Streamed { outbox: outbox.clone(), answers: Arc::clone(&answers), open: open.subscribe() };
    let number = match subscriber.open_stream(subscription, Arc::new(receiver)).await {
        Ok(number) => number,
        Err(status) => return status,
    };
    let guard = Guard { subscriber: Arc::clone(subscriber), number, answers: Arc::clone(&answers) };
    let hello = Told::InitialResponse(SubscribeTopicEventsResponseInitialAlpha1::default());
    outbox.send(Ok(told(hello))).await.ok();
    open.send_replace(true);
    let end = tokio::select! {
        end = listen(&mut requests, &answers) => end,
        () = subscriber.has_ended() => Status::unknown("stream closed"),
    };
    drop(guard);
    end
}

/// Ends the subscription in the background, even when the stream was dropped.
struct Guard {
    subscriber: Arc<Subscriber>,
    number: u64,
    answers: Arc<Answers>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.answers.close();
        let (subscriber, number) = (Arc::clone(&self.subscriber), self.number);
        self.subscriber.drain().spawn(async move { subscriber.close_stream(number).await });
    }
}

async fn listen<S>(requests: &mut S, answers: &Answers) -> Status
where
    S: Stream<Item = Result<SubscribeTopicEventsRequestAlpha1, Status>> + Send + Unpin,
{
    loop {
        match next(requests).await {
            Ok(Asked::EventProcessed(processed)) => answers.take(processed),
            Ok(Asked::InitialRequest(_)) => return Status::unknown("duplicate initial request received"),
            Err(status) => return status,
        }
    }
}

async fn next<S>(requests: &mut S) -> Result<Asked, Status>
where
    S: Stream<Item = Result<SubscribeTopicEventsRequestAlpha1, Status>> + Send + Unpin,
{
    let request = requests.next().await.unwrap_or_else(|| Err(Status::unknown("EOF")))?;
    request.subscribe_topic_events_request_type.ok_or_else(|| Status::unknown("duplicate initial request received"))
}

fn subscription(first: Asked) -> Result<Subscription, Status> {
    let Asked::InitialRequest(initial) = first else { return Err(Status::unknown("initial request is required")) };
    let SubscribeTopicEventsRequestInitialAlpha1 { pubsub_name: pubsub, topic, metadata, dead_letter_topic } = initial;
    if pubsub.is_empty() {
        return Err(Status::unknown("pubsubName is required"));
    }
    if topic.is_empty() {
        return Err(Status::unknown("topic is required"));
    }
    Ok(Subscription {
        pubsub,
        topic,
        dead_letter_topic: dead_letter_topic.unwrap_or_default(),
        metadata: metadata.into_iter().collect(),
        rules: vec![Rule { expression: None, path: "/".to_owned() }],
        bulk: None,
    })
}

fn told(told: Told) -> SubscribeTopicEventsResponseAlpha1 {
    SubscribeTopicEventsResponseAlpha1 { subscribe_topic_events_response_type: Some(told) }
}

/// The app at the other end of a stream.
struct Streamed {
    outbox: Outbox,
    answers: Arc<Answers>,
    /// The first answer has gone out.
    open: watch::Receiver<bool>,
}

#[async_trait]
impl Receiver for Streamed {
    async fn event(&self, event: &TopicEvent) -> Result<EventStatus, Failure> {
        let message = topic_event_request(event)?;
        self.open.clone().wait_for(|open| *open).await.map_err(|_| closed())?;
        let answer = self.answers.expect(&message)?;
        self.outbox.send(Ok(told(Told::EventMessage(message)))).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())
    }

    async fn bulk_event(&self, _: &BulkEvent) -> Result<Vec<EventStatus>, Failure> {
        Err(Failure::new("not implemented"))
    }

    fn is_gone(&self) -> bool {
        self.outbox.is_closed() || self.answers.lock().closed
    }
}

fn closed() -> Failure {
    Failure::new("stream closed")
}

/// Who waits for the app's word on an event, by its id. The same event may be under way twice.
#[derive(Default)]
struct Answers(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    closed: bool,
    by_id: HashMap<String, VecDeque<oneshot::Sender<EventStatus>>>,
}

impl Answers {
    fn expect(&self, event: &TopicEventRequest) -> Result<oneshot::Receiver<EventStatus>, Failure> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(closed());
        }
        let (sender, answer) = oneshot::channel();
        waiting.by_id.entry(event.id.clone()).or_default().push_back(sender);
        Ok(answer)
    }

    fn take(&self, processed: SubscribeTopicEventsRequestProcessedAlpha1) {
        let number = processed.status.map(|status| status.status).unwrap_or_default();
        let status = match TopicEventResponseStatus::try_from(number) {
            Ok(TopicEventResponseStatus::Success) => EventStatus::Success,
            Ok(TopicEventResponseStatus::Drop) => EventStatus::Drop,
            Ok(TopicEventResponseStatus::Retry) | Err(_) => EventStatus::Retry,
        };
        let mut waiting = self.lock();
        let mut senders = waiting.by_id.remove(&processed.id).unwrap_or_default();
        // Some may have given up waiting.
        let told = std::iter::from_fn(|| senders.pop_front()).find_map(|sender| sender.send(status).ok());
        if !senders.is_empty() {
            waiting.by_id.insert(processed.id.clone(), senders);
        }
        if told.is_none() {
            tracing::error!(target: "dapr.runtime.pubsub.streamer", "no client stream expecting publish response for id {}", processed.id);
        }
    }

    /// Nobody will answer any more.
    fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.by_id.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
