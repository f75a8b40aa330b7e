//! Actors of apps that opened a stream for them, without a port of their own (protocols.md 2.9).
use super::{App, Failure};
use crate::model::{ActorKey, Answer, Call, Metadata};
use crate::tick::{Kind, Tick};
use async_trait::async_trait;
use foundation_resiliency::Resiliency;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};
use tonic::{Code, Status};
use wire::runtime::v1::subscribe_actor_events_request_alpha1::RequestType as Said;
use wire::runtime::v1::subscribe_actor_events_response_alpha1::ResponseType as Asked;
use wire::runtime::v1::{
    SubscribeActorEventsRequestFailedAlpha1, SubscribeActorEventsRequestInvokeResponseAlpha1,
    SubscribeActorEventsResponseAlpha1, SubscribeActorEventsResponseDeactivateRequestAlpha1,
    SubscribeActorEventsResponseInvokeRequestAlpha1, SubscribeActorEventsResponseReminderRequestAlpha1,
    SubscribeActorEventsResponseTimerRequestAlpha1,
};

const NOBODY: &str = "actor host is not connected";
const GONE: &str = "actor host disconnected before responding";
const UNEXPECTED: &str = "actor host returned an unexpected response type for";
const CONTENT_TYPE: &str = "content-type";

/// What goes out on a stream.
pub(crate) type Outbox = mpsc::Sender<Result<SubscribeActorEventsResponseAlpha1, Status>>;

/// The streams of apps. The newest gets all that is new; older ones end what they have begun.
pub(crate) struct Streams {
    open: Mutex<Vec<Arc<Connection>>>,
    resiliency: Resiliency,
}

/// One stream.
pub(crate) struct Connection {
    /// Types that the app registered on it.
    pub(crate) entities: Vec<String>,
    outbox: Outbox,
    /// Questions that are not answered yet; none when the stream is over.
    pending: Mutex<Option<HashMap<String, oneshot::Sender<Said>>>>,
    questions: AtomicU64,
}

impl Streams {
    pub(crate) fn new(resiliency: Resiliency) -> Self {
        Self { open: Mutex::default(), resiliency }
    }

    /// Adds a stream.
    pub(crate) fn open(&self, entities: Vec<String>, outbox: Outbox) -> Arc<Connection> {
        let pending = Mutex::new(Some(HashMap::new()));
        let connection = Arc::new(Connection { entities, outbox, pending, questions: AtomicU64::new(0) });
        lock(&self.open).push(Arc::clone(&connection));
        connection
    }

    /// Ends a stream with all that waits for it. Returns the types that no other one has registered.
    pub(crate) fn close(&self, connection: &Arc<Connection>) -> Vec<String> {
        lock(&connection.pending).take();
        let mut open = lock(&self.open);
        open.retain(|other| !Arc::ptr_eq(other, connection));
        let is_left = |name: &&String| !open.iter().any(|other| other.entities.contains(name));
        connection.entities.iter().filter(is_left).cloned().collect()
    }

    async fn ask(&self, question: impl FnOnce(String) -> Asked) -> Result<Said, Failure> {
        let newest = lock(&self.open).last().cloned();
        let newest = newest.ok_or_else(|| Failure::Unreached(NOBODY.to_owned()))?;
        let answer = newest.ask(question).await.ok_or_else(|| Failure::Unreached(GONE.to_owned()))?;
        match answer {
            Said::RequestFailed(failed) => Err(refused(failed)),
            answer => Ok(answer),
        }
    }

    /// Asks by the policy of the actor's type.
    async fn ask_by_policy(&self, actor: &ActorKey, question: impl Fn(String) -> Asked) -> Result<Said, Failure> {
        let policy = self.resiliency.actor_in_turn(&actor.actor_type);
        let asked = policy.run(|| async { self.ask(&question).await.map_err(Attempt) }).await;
        asked.map_err(|error| error.failure_or_else(|text| Attempt(Failure::Unreached(text.to_owned()))).0)
    }
}

/// What a policy sees of a failed attempt.
struct Attempt(Failure);

impl foundation_resiliency::Failure for Attempt {
    fn is_permanent(&self) -> bool {
        matches!(self.0, Failure::NoMethod(_))
    }
}

impl Connection {
    async fn ask(&self, question: impl FnOnce(String) -> Asked) -> Option<Said> {
        let id = (self.questions.fetch_add(1, Ordering::Relaxed) + 1).to_string();
        let (answered, answer) = oneshot::channel();
        lock(&self.pending).as_mut()?.insert(id.clone(), answered);
        let _forget = Forget { connection: self, id: id.clone() };
        let asked = SubscribeActorEventsResponseAlpha1 { response_type: Some(question(id)) };
        self.outbox.send(Ok(asked)).await.ok()?;
        answer.await.ok()
    }

    /// Takes what the app said.
    pub(crate) fn answer(&self, said: Said) {
        let asked = id_of(&said).and_then(|id| lock(&self.pending).as_mut()?.remove(id));
        match asked {
            Some(asked) => drop(asked.send(said)),
            None => {
                tracing::warn!(target: "dapr.runtime.actors.callbackstream", "Dropping actor callback response that nobody waits for");
            }
        }
    }
}

/// A question that nobody waits for any more when this is dropped.
struct Forget<'a> {
    connection: &'a Connection,
    id: String,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        if let Some(pending) = lock(&self.connection.pending).as_mut() {
            pending.remove(&self.id);
        }
    }
}

fn id_of(said: &Said) -> Option<&str> {
    match said {
        Said::InitialRequest(_) => None,
        Said::InvokeResponse(said) => Some(&said.id),
        Said::ReminderResponse(said) | Said::TimerResponse(said) => Some(&said.id),
        Said::DeactivateResponse(said) => Some(&said.id),
        Said::RequestFailed(said) => Some(&said.id),
    }
}

#[async_trait]
impl App for Streams {
    async fn invoke(&self, call: &Call) -> Result<Answer, Failure> {
        let question = |id| {
            Asked::InvokeRequest(SubscribeActorEventsResponseInvokeRequestAlpha1 {
                id,
                actor_type: call.actor.actor_type.clone(),
                actor_id: call.actor.id.clone(),
                method: call.method.clone(),
                data: call.data.clone(),
                metadata: firsts(&call.metadata),
            })
        };
        match self.ask_by_policy(&call.actor, question).await {
            Ok(Said::InvokeResponse(said)) => Ok(answer(said)),
            Ok(_) => Err(Failure::Unreached(format!("{UNEXPECTED} invoke"))),
            Err(Failure::NoMethod(_)) => Err(Failure::NoMethod(call.method.clone())),
            Err(failure) => Err(failure),
        }
    }

    async fn tick(&self, tick: &Tick) -> Result<(), Failure> {
        let question = |id| match tick.kind {
            Kind::Reminder => Asked::ReminderRequest(reminder(id, tick)),
            Kind::Timer => Asked::TimerRequest(timer(id, tick)),
        };
        match (tick.kind, self.ask_by_policy(&tick.actor, question).await?) {
            (Kind::Reminder, Said::ReminderResponse(said)) | (Kind::Timer, Said::TimerResponse(said)) => {
                if said.cancel { Err(Failure::Cancelled) } else { Ok(()) }
            }
            (Kind::Reminder, _) => Err(Failure::Unreached(format!("{UNEXPECTED} reminder"))),
            (Kind::Timer, _) => Err(Failure::Unreached(format!("{UNEXPECTED} timer"))),
        }
    }

    async fn deactivate(&self, actor: &ActorKey) -> Result<(), Failure> {
        let (actor_type, actor_id) = (actor.actor_type.clone(), actor.id.clone());
        let question = |id| {
            Asked::DeactivateRequest(SubscribeActorEventsResponseDeactivateRequestAlpha1 { id, actor_type, actor_id })
        };
        self.ask(question).await.map(drop)
    }
}

fn reminder(id: String, tick: &Tick) -> SubscribeActorEventsResponseReminderRequestAlpha1 {
    SubscribeActorEventsResponseReminderRequestAlpha1 {
        id,
        actor_type: tick.actor.actor_type.clone(),
        actor_id: tick.actor.id.clone(),
        name: tick.name.clone(),
        due_time: tick.due_time.clone(),
        period: tick.period.clone(),
        data: tick.data.clone(),
    }
}

fn timer(id: String, tick: &Tick) -> SubscribeActorEventsResponseTimerRequestAlpha1 {
    SubscribeActorEventsResponseTimerRequestAlpha1 {
        id,
        actor_type: tick.actor.actor_type.clone(),
        actor_id: tick.actor.id.clone(),
        name: tick.name.clone(),
        due_time: tick.due_time.clone(),
        period: tick.period.clone(),
        callback: tick.callback.clone(),
        data: tick.data.clone(),
    }
}

fn refused(failed: SubscribeActorEventsRequestFailedAlpha1) -> Failure {
    match Code::from_i32(i32::try_from(failed.code).unwrap_or_default()) {
        Code::NotFound => Failure::NoMethod(failed.message),
        _ => Failure::Refused(failed.message),
    }
}

/// On a stream each name has one value.
fn firsts(metadata: &Metadata) -> HashMap<String, String> {
    let first = |(name, values): (&String, &Vec<String>)| Some((name.clone(), values.first()?.clone()));
    metadata.0.iter().filter_map(first).collect()
}

fn answer(said: SubscribeActorEventsRequestInvokeResponseAlpha1) -> Answer {
    let content_type = said.metadata.get(CONTENT_TYPE).cloned().unwrap_or_default();
    let metadata = Metadata(said.metadata.into_iter().map(|(name, value)| (name, vec![value])).collect());
    let mut answer = Answer { status: 200, metadata, content_type, data: said.data };
    if said.error {
        answer.mark_error();
    }
    answer
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
