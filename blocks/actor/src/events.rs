//! `SubscribeActorEventsAlpha1`: apps that host actors on a stream of their own (protocols.md 2.9).
use crate::app::stream::{Connection, Outbox};
use crate::hosting::{Hosting, Section};
use crate::service::Service;
use foundation_metadata::duration::format;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::Status;
use wire::runtime::v1::subscribe_actor_events_request_alpha1::RequestType as Said;
use wire::runtime::v1::subscribe_actor_events_response_alpha1::ResponseType as Asked;
use wire::runtime::v1::{
    ActorReentrancyConfig, SubscribeActorEventsRequestAlpha1, SubscribeActorEventsRequestInitialAlpha1,
    SubscribeActorEventsResponseAlpha1, SubscribeActorEventsResponseInitialAlpha1,
};

/// Questions on their way into a stream; others wait when there are more.
const QUEUE: usize = 128;

/// What the app gets on the stream.
pub type ActorEvents = BoxStream<'static, Result<SubscribeActorEventsResponseAlpha1, Status>>;

/// Serves one stream until it or the sidecar ends. What is wrong is said on the stream.
///
/// # Errors
/// Failed precondition for an app that is asked over HTTP.
pub fn subscribe_actor_events<S>(service: &Arc<Service>, requests: S) -> Result<ActorEvents, Status>
where
    S: Stream<Item = Result<SubscribeActorEventsRequestAlpha1, Status>> + Send + Unpin + 'static,
{
    if !service.allows_streams() {
        return Err(Status::failed_precondition("actor callback streaming requires a gRPC app channel"));
    }
    let (outbox, events) = mpsc::channel(QUEUE);
    let serving = Arc::clone(service);
    service.drain().spawn(async move {
        let end = tokio::select! {
            end = serve(&serving, requests, &outbox) => end,
            () = outbox.closed() => return,
        };
        if let Err(status) = end {
            outbox.send(Err(status)).await.ok();
        }
    });
    let events = stream::unfold(events, |mut events| async { Some((events.recv().await?, events)) });
    Ok(events.boxed())
}

async fn serve<S>(service: &Arc<Service>, mut requests: S, outbox: &Outbox) -> Result<(), Status>
where
    S: Stream<Item = Result<SubscribeActorEventsRequestAlpha1, Status>> + Send + Unpin,
{
    let first = tokio::select! {
        first = requests.next() => first.transpose()?,
        () = service.drain().stopped() => return Ok(()),
    };
    let Some(Said::InitialRequest(initial)) = first.and_then(|first| first.request_type) else {
        let text = "first message must be SubscribeActorEventsRequestInitialAlpha1";
        return Err(Status::invalid_argument(text));
    };
    let opened = service.open_stream(&initial.into(), outbox.clone());
    let connection =
        opened.map_err(|invalid| Status::internal(format!("failed to register hosted actors: {invalid}")))?;
    let _end = Closing { service: Arc::clone(service), connection: Arc::clone(&connection) };
    let initial = Asked::InitialResponse(SubscribeActorEventsResponseInitialAlpha1 {});
    outbox.send(Ok(SubscribeActorEventsResponseAlpha1 { response_type: Some(initial) })).await.ok();
    loop {
        let said = tokio::select! {
            said = requests.next() => said,
            () = service.drain().stopped() => return Ok(()),
        };
        match said.transpose()? {
            Some(said) => said.request_type.into_iter().for_each(|said| connection.answer(said)),
            None => return Ok(()),
        }
    }
}

/// Closes a stream when this is dropped, however that comes.
struct Closing {
    service: Arc<Service>,
    connection: Arc<Connection>,
}

impl Drop for Closing {
    fn drop(&mut self) {
        let (service, connection) = (Arc::clone(&self.service), Arc::clone(&self.connection));
        self.service.drain().spawn(async move { service.close_stream(&connection).await });
    }
}

impl From<SubscribeActorEventsRequestInitialAlpha1> for Hosting {
    fn from(initial: SubscribeActorEventsRequestInitialAlpha1) -> Self {
        let special = initial.entities_config.into_iter().map(|config| Section {
            is_special: true,
            entities: config.entities,
            idle_timeout: text(config.actor_idle_timeout),
            drain_timeout: text(config.drain_ongoing_call_timeout),
            drains: config.drain_rebalanced_actors,
            ..reentrancy(config.reentrancy)
        });
        let common = Section {
            entities: initial.entities,
            idle_timeout: text(initial.actor_idle_timeout),
            drain_timeout: text(initial.drain_ongoing_call_timeout),
            drains: initial.drain_rebalanced_actors,
            ..reentrancy(initial.reentrancy)
        };
        Self { common, special: special.collect() }
    }
}

fn reentrancy(config: Option<ActorReentrancyConfig>) -> Section {
    let config = config.unwrap_or_default();
    let max_stack_depth = config.max_stack_depth.and_then(|depth| u32::try_from(depth).ok());
    Section { reentrant: config.enabled, max_stack_depth, ..Section::default() }
}

/// As it would stand in a document; none is empty.
fn text(duration: Option<prost_types::Duration>) -> String {
    let duration = duration.and_then(|duration| Duration::try_from(duration).ok());
    duration.map(format).unwrap_or_default()
}
