//! Hosts that hang.
use super::*;
use crate::tick::Kind;
use async_trait::async_trait;
use foundation_drain::Drain;
use foundation_telemetry::Metrics;
use futures_util::FutureExt;
use tokio::time::Instant;
use wire::internals::v1::InternalInvokeResponse;
use wire::placement::v1::{PlacementTable, PlacementTables};

const HANGS: &str = "hangs:1";

/// One of them answers nothing.
struct Others;

impl Others {
    async fn answer<T: Default>(&self, host: &Host) -> Result<T, Status> {
        if host.name == HANGS { std::future::pending().await } else { Ok(T::default()) }
    }
}

#[async_trait]
impl Neighbours for Others {
    async fn call(
        &self,
        host: &Host,
        _: &InternalInvokeRequest,
        _: &HeaderMap,
    ) -> Result<InternalInvokeResponse, Status> {
        self.answer(host).await
    }

    async fn tick(&self, host: &Host, _: &Reminder) -> Result<(), Status> {
        self.answer(host).await
    }
}

fn router() -> Router {
    let router = Router {
        placement: Arc::new(Placement::new("own:1".to_owned())),
        hosts: Arc::new(Hosts::new(Metrics::default(), &Drain::new())),
        neighbours: Arc::new(Others),
        resiliency: Resiliency::default(),
    };
    hosted_by(&router, HANGS);
    router.placement.release();
    router
}

fn hosted_by(router: &Router, host: &str) {
    let name = host.to_owned();
    let host = wire::placement::v1::Host { name: name.clone(), ..Default::default() };
    let table = PlacementTable { load_map: [(name, host)].into(), ..PlacementTable::default() };
    let entries = [("t".to_owned(), table)].into();
    router.placement.install(PlacementTables { entries, replication_factor: 10, ..PlacementTables::default() });
}

fn tick() -> Tick {
    let actor = ActorKey::new("t".to_owned(), "1".to_owned());
    let [name, due_time, period, callback] = ["r", "", "", ""].map(str::to_owned);
    Tick { kind: Kind::Reminder, actor, name, due_time, period, callback, data: None }
}

#[tokio::test(start_paused = true)]
async fn ticks_that_hang_go_to_the_next_host_once_all_know_it() {
    let (router, tick) = (router(), tick());
    let mut told = Box::pin(router.tick(&tick, Hop::First));
    assert!((&mut told).now_or_never().is_none());
    hosted_by(&router, "next:1");
    assert!((&mut told).now_or_never().is_none(), "the other may still serve it");
    router.placement.release();
    told.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn calls_that_hang_are_given_up_and_not_made_twice() {
    let (router, trace) = (router(), HeaderMap::new());
    let call = Call::from(InternalInvokeRequest {
        actor: Some(wire::internals::v1::Actor { actor_type: "t".to_owned(), actor_id: "1".to_owned() }),
        ..InternalInvokeRequest::default()
    });
    let mut answer = Box::pin(router.call(&call, Hop::First, &trace));
    assert!((&mut answer).now_or_never().is_none());
    hosted_by(&router, "next:1");
    router.placement.release();
    let start = Instant::now();
    let status = Status::from(answer.await.unwrap_err());
    assert_eq!((status.code(), start.elapsed()), (Code::Unavailable, FAREWELL));
}
