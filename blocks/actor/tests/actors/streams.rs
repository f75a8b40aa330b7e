//! Apps that host actors on a stream of their own.
use crate::placement::Placement;
use crate::world::{Sidecar, fault};
use block_actor::{ActorEvents, Options, subscribe_actor_events};
use futures_util::StreamExt;
use std::collections::HashMap;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};
use wire::runtime::v1::subscribe_actor_events_request_alpha1::RequestType as Said;
use wire::runtime::v1::subscribe_actor_events_response_alpha1::ResponseType as Asked;
use wire::runtime::v1::{
    SubscribeActorEventsRequestAlpha1, SubscribeActorEventsRequestDeactivateResponseAlpha1,
    SubscribeActorEventsRequestFailedAlpha1, SubscribeActorEventsRequestInitialAlpha1,
    SubscribeActorEventsRequestInvokeResponseAlpha1, SubscribeActorEventsRequestReminderResponseAlpha1,
};

type Requests = mpsc::Sender<Result<SubscribeActorEventsRequestAlpha1, Status>>;

/// The app's end of a stream.
struct Stream {
    requests: Requests,
    events: ActorEvents,
}

impl Stream {
    fn open(sidecar: &Sidecar) -> Self {
        let (requests, received) = mpsc::channel(8);
        let events = subscribe_actor_events(&sidecar.service, ReceiverStream::new(received)).unwrap();
        Self { requests, events }
    }

    async fn registered(sidecar: &Sidecar, actor_type: &str) -> Self {
        let mut stream = Self::open(sidecar);
        let entities = vec![actor_type.to_owned()];
        stream
            .say(Said::InitialRequest(SubscribeActorEventsRequestInitialAlpha1 { entities, ..Default::default() }))
            .await;
        assert!(matches!(stream.asked().await, Asked::InitialResponse(_)));
        stream
    }

    async fn say(&self, said: Said) {
        self.requests.send(Ok(SubscribeActorEventsRequestAlpha1 { request_type: Some(said) })).await.unwrap();
    }

    async fn asked(&mut self) -> Asked {
        self.events.next().await.unwrap().unwrap().response_type.unwrap()
    }
}

async fn world() -> (Placement, Sidecar) {
    let placement = Placement::start(0).await;
    let sidecar = Sidecar::with(Some(&placement), None, Options { allows_streams: true, ..Options::default() }).await;
    (placement, sidecar)
}

#[tokio::test]
async fn calls_and_timers_are_asked_and_answered_by_number() {
    let (placement, sidecar) = world().await;
    let mut stream = Stream::registered(&sidecar, "t").await;
    placement.round(1).await;
    let answers = async {
        let Asked::InvokeRequest(asked) = stream.asked().await else { panic!("not a call") };
        assert_eq!((asked.actor_id.as_str(), asked.method.as_str(), asked.data.as_ref()), ("1", "m", b"x".as_ref()));
        assert_eq!(asked.metadata["X-A"], "1");
        let metadata = HashMap::from([("content-type".to_owned(), "text/x".to_owned())]);
        let said =
            SubscribeActorEventsRequestInvokeResponseAlpha1 { id: asked.id, data: "y".into(), metadata, error: false };
        stream.say(Said::InvokeResponse(said)).await;
    };
    let ((status, headers, body), ()) = tokio::join!(sidecar.send("PUT t/1/method/m", &[("x-a", "1")], "x"), answers);
    assert_eq!((status, &headers["content-type"], body.as_str()), (200, &"text/x".parse().unwrap(), "y"));
    sidecar.check("PUT t/1/timers/z", r#"{"callback": "c"}"#, (204, "")).await;
    let Asked::TimerRequest(asked) = stream.asked().await else { panic!("not a timer") };
    assert_eq!((asked.name.as_str(), asked.callback.as_str()), ("z", "c"));
    let said = SubscribeActorEventsRequestReminderResponseAlpha1 { id: asked.id, cancel: false };
    stream.say(Said::TimerResponse(said)).await;
}

#[tokio::test]
async fn failures_are_told_apart() {
    let (placement, sidecar) = world().await;
    let mut stream = Stream::registered(&sidecar, "t").await;
    placement.round(1).await;
    let invoke = |reason: &str| fault("ERR_ACTOR_INVOKE_METHOD", &format!("error invoke actor method: {reason}"));
    for (code, expected) in [
        (Code::NotFound, invoke("actor method not found: m")),
        (Code::Internal, invoke("error from actor service: no")),
    ] {
        let answers = async {
            let Asked::InvokeRequest(asked) = stream.asked().await else { panic!("not a call") };
            let (code, message) = (code as u32, "no".to_owned());
            stream
                .say(Said::RequestFailed(SubscribeActorEventsRequestFailedAlpha1 { id: asked.id, code, message }))
                .await;
        };
        tokio::join!(sidecar.check("PUT t/1/method/m", "", (500, &expected)), answers);
    }
}

#[tokio::test]
async fn a_stream_that_ends_takes_its_types_with_it() {
    let (placement, sidecar) = world().await;
    let mut stream = Stream::registered(&sidecar, "t").await;
    placement.round(1).await;
    let gone = async {
        let Asked::InvokeRequest(_) = stream.asked().await else { panic!("not a call") };
        drop(stream);
    };
    let lost = fault("ERR_ACTOR_INVOKE_METHOD", "error invoke actor method: actor host disconnected before responding");
    tokio::join!(sidecar.check("PUT t/1/method/m", "", (500, &lost)), gone);
    placement.until_hosted("t", false).await;
}

#[tokio::test]
async fn the_newest_stream_gets_what_is_new() {
    let (placement, sidecar) = world().await;
    let older = Stream::registered(&sidecar, "t").await;
    let mut newer = Stream::registered(&sidecar, "t").await;
    placement.round(1).await;
    let answers = async {
        let Asked::InvokeRequest(asked) = newer.asked().await else { panic!("not a call") };
        let said = SubscribeActorEventsRequestInvokeResponseAlpha1 { id: asked.id, ..Default::default() };
        newer.say(Said::InvokeResponse(said)).await;
    };
    tokio::join!(sidecar.check("PUT t/1/method/m", "", (200, "")), answers);
    drop(older);
    sidecar.service.store_changed().await;
    let deactivated = async {
        let Asked::DeactivateRequest(asked) = newer.asked().await else { panic!("not a deactivation") };
        let said = SubscribeActorEventsRequestDeactivateResponseAlpha1 { id: asked.id };
        newer.say(Said::DeactivateResponse(said)).await;
    };
    sidecar.stores.remove("store");
    tokio::join!(sidecar.service.store_changed(), deactivated);
}

#[tokio::test]
async fn a_stream_begins_with_a_registration() {
    let (_placement, sidecar) = world().await;
    let mut stream = Stream::open(&sidecar);
    stream.say(Said::DeactivateResponse(Default::default())).await;
    assert_eq!(stream.events.next().await.unwrap().unwrap_err().code(), Code::InvalidArgument);
    let over_http = Sidecar::start(None, None).await;
    let (_requests, received) = mpsc::channel::<Result<SubscribeActorEventsRequestAlpha1, Status>>(1);
    let refused = subscribe_actor_events(&over_http.service, ReceiverStream::new(received));
    assert_eq!(refused.err().unwrap().code(), Code::FailedPrecondition);
}
