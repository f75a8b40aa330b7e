//! Watches over gRPC: many of them on one stream.
use super::Served;
use super::outlet::{Answers, Gone, Outlet};
use crate::history::MOST_BYTES;
use crate::{Changes, Error, Store, Watcher};
use foundation_drain::Drain;
use prost::Message;
use std::collections::HashMap;
use std::time::Duration;
use tonic::{Request, Response, Status, Streaming, async_trait};
use wire::etcd::etcdserverpb::watch_create_request::FilterType;
use wire::etcd::etcdserverpb::watch_request::RequestUnion;
use wire::etcd::etcdserverpb::watch_server::Watch;
use wire::etcd::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};
use wire::etcd::mvccpb::Event;
use wire::etcd::mvccpb::event::EventType;

/// A silent watch that wants to hear of its progress does so often.
const PROGRESS: Duration = Duration::from_secs(600);
/// Watches of one stream at a time.
const MOST_WATCHES: usize = if cfg!(test) { 3 } else { 1 << 16 };
/// Of an answer that belongs to no watch.
const NO_WATCH: i64 = -1;

#[async_trait]
impl Watch for Served {
    type WatchStream = Answers;

    async fn watch(&self, request: Request<Streaming<WatchRequest>>) -> Result<Response<Answers>, Status> {
        let (outlet, answers) = Outlet::new();
        let drain = self.drain.child();
        let session =
            Session { store: self.store.clone(), outlet, drain: drain.clone(), watches: HashMap::new(), next: 0 };
        drain.spawn_until_stopped(session.run(request.into_inner()));
        Ok(Response::new(answers))
    }
}

/// One stream of a client.
struct Session {
    store: Store,
    outlet: Outlet,
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
                && self.outlet.give(answer).await.is_err()
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
        if !self.has_room() {
            return Some(self.refused(NO_WATCH, "etcdserver: too many watches on one stream"));
        }
        self.next = self.next.max(id) + 1;
        let watcher = match self.store.watch(&create.key, &create.range_end, create.start_revision) {
            Ok(watcher) => watcher,
            Err(error) => return Some(self.refused(NO_WATCH, &error.to_string())),
        };
        let created = WatchResponse { created: true, ..self.answer(id) };
        self.outlet.give(created).await.ok()?;
        let drain = self.drain.child();
        let follower = Follower { id, create, watcher, store: self.store.clone(), outlet: self.outlet.clone() };
        let ended = drain.clone();
        drain.spawn_until_stopped(async move {
            follower.run().await.ok();
            ended.stop();
        });
        self.watches.insert(id, drain);
        None
    }

    fn has_room(&mut self) -> bool {
        if self.watches.len() >= MOST_WATCHES {
            self.watches.retain(|_, watch| !watch.is_stopped());
        }
        self.watches.len() < MOST_WATCHES
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
    outlet: Outlet,
}

impl Follower {
    async fn run(mut self) -> Result<(), Gone> {
        let pause = if self.create.progress_notify { PROGRESS } else { Duration::MAX };
        loop {
            let is_silent = tokio::time::timeout(pause, self.watcher.ready()).await.is_err();
            // Nothing is taken out of the history before there is room for it here.
            let room = self.outlet.room(MOST_BYTES).await?;
            let changes = match self.watcher.take() {
                Ok(changes) => changes,
                Err(error) => return self.outlet.give(self.ended(&error)).await,
            };
            let is_progress = is_silent && changes.is_none();
            let answer = self.seen(changes.unwrap_or_else(|| self.progress()));
            if is_progress || !answer.events.is_empty() {
                self.outlet.fill(room, answer.encoded_len(), answer).await?;
            }
        }
    }

    fn progress(&self) -> Changes {
        Changes { events: Vec::new(), revision: self.watcher.revision() }
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
