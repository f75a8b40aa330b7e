//! Watches over gRPC: many of them on one stream.
use super::Served;
use crate::{Changes, Error, Store, Watcher};
use foundation_drain::Drain;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, async_trait};
use wire::etcd::etcdserverpb::watch_create_request::FilterType;
use wire::etcd::etcdserverpb::watch_request::RequestUnion;
use wire::etcd::etcdserverpb::watch_server::Watch;
use wire::etcd::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};
use wire::etcd::mvccpb::Event;
use wire::etcd::mvccpb::event::EventType;

/// Answers that a client has not read yet.
const WAITING: usize = 16;
/// A silent watch that wants to hear of its progress does so often.
const PROGRESS: Duration = Duration::from_secs(600);
/// Of an answer that belongs to no watch.
const NO_WATCH: i64 = -1;

type Answers = mpsc::Sender<Result<WatchResponse, Status>>;

#[async_trait]
impl Watch for Served {
    type WatchStream = ReceiverStream<Result<WatchResponse, Status>>;

    async fn watch(&self, request: Request<Streaming<WatchRequest>>) -> Result<Response<Self::WatchStream>, Status> {
        let (answers, received) = mpsc::channel(WAITING);
        let drain = self.drain.child();
        let session =
            Session { store: self.store.clone(), answers, drain: drain.clone(), watches: HashMap::new(), next: 0 };
        drain.spawn_until_stopped(session.run(request.into_inner()));
        Ok(Response::new(ReceiverStream::new(received)))
    }
}

/// One stream of a client.
struct Session {
    store: Store,
    answers: Answers,
    /// Owns the tasks of the watches.
    drain: Drain,
    watches: HashMap<i64, Drain>,
    next: i64,
}

impl Session {
    async fn run(mut self, mut requests: Streaming<WatchRequest>) {
        while let Ok(Some(WatchRequest { request_union: Some(request) })) = requests.message().await {
            let answer = match request {
                RequestUnion::CreateRequest(create) => self.create(create).await,
                RequestUnion::CancelRequest(cancel) => self.cancel(cancel.watch_id),
                RequestUnion::ProgressRequest(_) => Some(self.answer(NO_WATCH)),
            };
            if let Some(answer) = answer
                && self.answers.send(Ok(answer)).await.is_err()
            {
                break;
            }
        }
        self.drain.stop();
    }

    /// The answer that a watch begins comes before all that it sees.
    async fn create(&mut self, create: WatchCreateRequest) -> Option<WatchResponse> {
        let id = if create.watch_id == 0 { self.next } else { create.watch_id };
        if self.watches.contains_key(&id) {
            return Some(self.refused(NO_WATCH, "etcdserver: mvcc: duplicate watch ID provided"));
        }
        self.next = self.next.max(id) + 1;
        let watcher = match self.store.watch(&create.key, &create.range_end, create.start_revision) {
            Ok(watcher) => watcher,
            Err(error) => return Some(self.refused(NO_WATCH, &error.to_string())),
        };
        let created = WatchResponse { created: true, ..self.answer(id) };
        self.answers.send(Ok(created)).await.ok()?;
        let drain = self.drain.child();
        let follower = Follower { id, create, watcher, store: self.store.clone(), answers: self.answers.clone() };
        drain.spawn_until_stopped(follower.run());
        self.watches.insert(id, drain);
        None
    }

    fn cancel(&mut self, id: i64) -> Option<WatchResponse> {
        let watch = self.watches.remove(&id)?;
        watch.stop();
        Some(WatchResponse { canceled: true, ..self.answer(id) })
    }

    fn refused(&self, id: i64, reason: &str) -> WatchResponse {
        WatchResponse { created: true, canceled: true, cancel_reason: reason.to_owned(), ..self.answer(id) }
    }

    fn answer(&self, watch_id: i64) -> WatchResponse {
        WatchResponse { header: Some(self.store.now()), watch_id, ..WatchResponse::default() }
    }
}

/// Passes on what one watch sees.
struct Follower {
    id: i64,
    create: WatchCreateRequest,
    watcher: Watcher,
    store: Store,
    answers: Answers,
}

impl Follower {
    async fn run(mut self) {
        loop {
            let pause = if self.create.progress_notify { PROGRESS } else { Duration::MAX };
            let answer = match tokio::time::timeout(pause, self.watcher.next()).await {
                Err(_) => self.seen(Changes { events: Vec::new(), revision: self.watcher.revision() }),
                Ok(Ok(changes)) => {
                    let answer = self.seen(changes);
                    if answer.events.is_empty() {
                        continue;
                    }
                    answer
                }
                Ok(Err(error)) => {
                    self.answers.send(Ok(self.ended(&error))).await.ok();
                    return;
                }
            };
            if self.answers.send(Ok(answer)).await.is_err() {
                return;
            }
        }
    }

    fn seen(&self, changes: Changes) -> WatchResponse {
        let mut header = self.store.now();
        header.revision = changes.revision;
        let events = changes.events.into_iter().filter(|event| self.wants(event)).map(|event| self.shown(event));
        WatchResponse { header: Some(header), watch_id: self.id, events: events.collect(), ..WatchResponse::default() }
    }

    fn wants(&self, event: &Event) -> bool {
        self.create.filters().all(|filter| match filter {
            FilterType::Noput => event.r#type() != EventType::Put,
            FilterType::Nodelete => event.r#type() != EventType::Delete,
        })
    }

    fn shown(&self, event: Event) -> Event {
        if self.create.prev_kv { event } else { Event { prev_kv: None, ..event } }
    }

    fn ended(&self, error: &Error) -> WatchResponse {
        WatchResponse {
            header: Some(self.store.now()),
            watch_id: self.id,
            canceled: true,
            compact_revision: if *error == Error::Compacted { self.watcher.first() } else { 0 },
            cancel_reason: error.to_string(),
            ..WatchResponse::default()
        }
    }
}
