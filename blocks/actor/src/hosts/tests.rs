//! Hosts whose app takes its time, on a clock that stands still while there is something to do.
use super::*;
use crate::model::Call;
use crate::tick::Tick;
use async_trait::async_trait;
use http::HeaderMap;
use std::sync::atomic::AtomicUsize;
use tokio::time::sleep;

/// An app that lets go of an actor after this time.
struct Slow(Duration, AtomicUsize);

#[async_trait]
impl App for Slow {
    async fn invoke(&self, _: &Call) -> Result<Answer, Failure> {
        Ok(Answer::default())
    }

    async fn tick(&self, _: &Tick) -> Result<(), Failure> {
        Ok(())
    }

    async fn deactivate(&self, _: &ActorKey) -> Result<(), Failure> {
        self.1.fetch_add(1, Ordering::Relaxed);
        sleep(self.0).await;
        Ok(())
    }
}

async fn hosts(actors: usize, time: Duration) -> (Arc<Hosts>, Arc<Slow>) {
    let (hosts, app) =
        (Arc::new(Hosts::new(Metrics::default(), &Drain::new())), Arc::new(Slow(time, AtomicUsize::new(0))));
    let shared: Arc<dyn App> = Arc::clone(&app) as Arc<dyn App>;
    hosts.register(BTreeMap::from([("t".to_owned(), TypeSettings::default())]), &shared);
    hosts.resume();
    for id in 0..actors {
        let call = Call { actor: ActorKey::new("t", id.to_string()), ..Call::default() };
        hosts.in_turn(Errand::Call { call: &call, trace: &HeaderMap::new() }).await.unwrap();
    }
    (hosts, app)
}

#[tokio::test(start_paused = true)]
async fn thousands_of_actors_end_within_one_round_of_placement() {
    let (hosts, app) = hosts(3_000, Duration::from_millis(500)).await;
    let begin = Instant::now();
    hosts.halt_all().await;
    assert!(begin.elapsed() <= Duration::from_secs(2), "{:?}", begin.elapsed());
    assert_eq!((hosts.counts()["t"], app.1.load(Ordering::Relaxed)), (0, 3_000));
    assert_eq!(hosts.idle.len(), 0, "nothing is left of them");
}

#[tokio::test(start_paused = true)]
async fn actors_of_an_app_that_hangs_are_dropped_together() {
    let (hosts, app) = hosts(5_000, Duration::from_secs(3_600)).await;
    let begin = Instant::now();
    hosts.halt_all().await;
    assert_eq!((begin.elapsed(), hosts.counts()["t"]), (PATIENCE, 0));
    assert!(app.1.load(Ordering::Relaxed) < 5_000, "who is late already gets no more to do");
}

#[tokio::test(start_paused = true)]
async fn no_actor_gets_a_turn_once_it_is_to_end() {
    let (hosts, _app) = hosts(3_000, Duration::from_secs(1)).await;
    let actors: Vec<_> = hosts.page("t", "", 3_000).0;
    let mut halt = Box::pin(hosts.halt_all());
    tokio::select! {
        () = &mut halt => panic!("the app takes its time"),
        () = sleep(Duration::from_millis(1)) => {}
    }
    for actor in &actors {
        assert_eq!(actor.turn(None, 1).await.unwrap_err(), Refused::Closed);
    }
    // Who gives up waiting leaves none of them behind.
    drop(halt);
    hosts.until_empty().await;
}

#[tokio::test(start_paused = true)]
async fn a_halt_waits_for_ends_that_others_began_but_not_for_ever() {
    let (hosts, _app) = hosts(1, Duration::from_secs(3_600)).await;
    let actor = hosts.active(&ActorKey::new("t", "0")).unwrap();
    assert!(actor.close());
    let begin = Instant::now();
    hosts.halt_all().await;
    assert_eq!(begin.elapsed(), PATIENCE);
}
