//! Actors on several hosts, with replicas of the placement service and hosts that are killed.
use crate::app::App;
use crate::authority::Sentry;
use crate::client::over_tcp;
use crate::replicas::Replicas;
use crate::sidecar::{Setup, Sidecar};
use crate::wait::until;
use futures_util::{StreamExt, stream};
use http::{Method, StatusCode};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Actors of the test of a host that dies.
const ACTORS: usize = 2_000;
const AT_ONCE: usize = 32;
/// For so long a sidecar would wait for a silent placement service, and some more.
const LONG: Duration = Duration::from_secs(9);

/// A sidecar whose app hosts carts.
struct Host {
    app: App,
    sidecar: Sidecar,
}

impl Host {
    async fn start(with: impl FnOnce(u16) -> Setup, placement: &Replicas) -> Self {
        let config = json!({"entities": ["cart"]}).to_string();
        let app = App::start(&[("/dapr/config", StatusCode::OK, &config)]).await;
        let setup = with(app.port).component("store", "state.in-memory", &[("actorStateStore", "true")]);
        let sidecar = placement.serve(setup).start().await;
        Self { app, sidecar }
    }

    /// Whether the sidecar says that it has no placement service.
    async fn is_alone(&self) -> bool {
        let Ok((_, body)) = self.sidecar.get("/v1.0/metadata").await else { return false };
        String::from_utf8_lossy(&body).contains("placement: disconnected")
    }

    /// Calls that the app has got.
    fn calls(&self) -> usize {
        self.app.count("/actors/cart/", "/method/add")
    }
}

/// Calls an actor; whether it answered.
async fn call(sidecar: &Sidecar, id: usize) -> bool {
    let path = format!("/v1.0/actors/cart/{id}/method/add");
    let answer = over_tcp(sidecar.port, Method::PUT, &path, "").await;
    answer.is_ok_and(|(status, _)| status == StatusCode::OK)
}

/// Calls all actors at once, and gives how many answered.
async fn call_all(sidecar: &Sidecar) -> usize {
    let calls = stream::iter(0..ACTORS).map(async |id| usize::from(call(sidecar, id).await));
    calls.buffer_unordered(AT_ONCE).fold(0, async |sum, answered| sum + answered).await
}

fn plain(port: u16) -> Setup {
    Setup::new("host", Some(port))
}

/// Two hosts, and the replica that knows both.
async fn two_hosts(placement: &Replicas) -> (Host, Host, usize) {
    let (one, other) = (Host::start(plain, placement).await, Host::start(plain, placement).await);
    let first = placement.leader().await;
    until("both are known", async || placement.tables(first).await.is_some_and(|(_, hosts)| hosts == 2)).await;
    (one, other, first)
}

#[tokio::test(flavor = "multi_thread")]
async fn actors_go_on_when_the_replica_that_serves_is_killed() {
    let mut placement = Replicas::start(3, None);
    let (one, other, first) = two_hosts(&placement).await;
    let (version, _) = placement.tables(first).await.unwrap();
    assert!(call(&one.sidecar, 1).await && call(&other.sidecar, 1).await);

    placement.kill(first);
    let second = placement.leader().await;
    assert!(second != first);
    until("both are known to the next", async || {
        placement.tables(second).await.is_some_and(|(later, hosts)| hosts == 2 && later > version)
    })
    .await;
    until("actors go on", async || call(&one.sidecar, 1).await && call(&other.sidecar, 2).await).await;

    placement.kill(second);
    until("nobody leads alone", async || placement.leaders().await.is_empty()).await;
    until("a sidecar without tables says so", async || one.is_alone().await).await;

    placement.restart(first);
    let third = placement.leader().await;
    until("actors are back", async || call(&one.sidecar, 3).await && call(&other.sidecar, 3).await).await;
    let (latest, _) = placement.tables(third).await.unwrap();
    assert!(latest > version);
}

/// The kernel goes on to answer for the connections of a process that hangs.
#[tokio::test(flavor = "multi_thread")]
async fn actors_go_on_when_the_replica_that_serves_hangs() {
    let mut placement = Replicas::start(3, None);
    let (one, other, first) = two_hosts(&placement).await;

    placement.hang(first);
    let second = placement.leader().await;
    until("both have found it", async || placement.tables(second).await.is_some_and(|(_, hosts)| hosts == 2)).await;
    until("actors go on", async || call(&one.sidecar, 1).await && call(&other.sidecar, 2).await).await;

    placement.go_on(first);
    assert_eq!(placement.leader().await, second, "it knows that it leads no more");
    assert!(call(&one.sidecar, 3).await && call(&other.sidecar, 4).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_gives_a_placement_service_up_that_hangs_and_takes_it_again() {
    let mut placement = Replicas::start(1, None);
    let host = Host::start(plain, &placement).await;
    until("an actor answers", async || call(&host.sidecar, 1).await).await;
    placement.hang(0);
    until("the sidecar has noticed", async || host.is_alone().await).await;
    placement.go_on(0);
    until("actors are back", async || call(&host.sidecar, 2).await).await;
}

/// Such a service pings less often than a sidecar waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_placement_service_that_is_slow_to_ping_is_not_given_up() {
    let placement = Replicas::with(1, None, &["--keepalive-time=10s", "--keepalive-timeout=10s"]);
    let host = Host::start(plain, &placement).await;
    until("an actor answers", async || call(&host.sidecar, 1).await).await;
    let (version, _) = placement.tables(0).await.unwrap();
    let start = Instant::now();
    until("it has been silent for long", async || {
        assert!(!host.is_alone().await);
        start.elapsed() > LONG
    })
    .await;
    assert_eq!(placement.tables(0).await, Some((version, 1)), "it stayed the same stream");
}

#[tokio::test(flavor = "multi_thread")]
async fn actors_of_a_host_that_is_killed_are_served_by_the_others_and_not_twice() {
    let placement = Replicas::start(1, None);
    let (mut one, other) = (Host::start(plain, &placement).await, Host::start(plain, &placement).await);
    let caller = placement.serve(Setup::new("caller", None)).start().await;
    until("both are known", async || placement.tables(0).await.is_some_and(|(_, hosts)| hosts == 2)).await;
    assert_eq!(call_all(&caller).await, ACTORS);
    let before = one.calls();
    assert!(before > ACTORS / 4 && before + other.calls() == ACTORS, "{before}");

    let answered = AtomicUsize::new(ACTORS);
    let load = async {
        for id in (0..ACTORS).cycle() {
            assert!(call(&caller, id).await, "a call fails while its actor moves");
            answered.fetch_add(1, Ordering::Relaxed);
        }
    };
    let killed = async {
        until("the load is there", async || answered.load(Ordering::Relaxed) > ACTORS + 10).await;
        one.sidecar.kill();
        assert_eq!(call_all(&caller).await, ACTORS);
        let at_death = one.calls();
        assert_eq!(call_all(&caller).await, ACTORS);
        assert_eq!(one.calls(), at_death, "nobody serves there any more");
    };
    tokio::select! {
        () = killed => {}
        () = load => {}
    }
    let answered = 2 * ACTORS + answered.into_inner();
    // The call that the load was in the middle of when the host died, and the one that it is in the middle of now.
    let calls = one.calls() + other.calls();
    assert!((answered..=answered + 2).contains(&calls), "{calls} calls were made for {answered} answers");
    let (_, listed) = other.sidecar.get("/v1.0-alpha1/actors/cart?limit=1000").await.unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&listed).unwrap();
    assert_eq!((listed["actors"].as_array().unwrap().len(), listed["hosts"].as_array().unwrap().len()), (1000, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn actors_live_on_sidecars_that_prove_who_they_are() {
    let (sentry, folder) = (Sentry::start().await, tempfile::tempdir().unwrap());
    let placement = Replicas::start(3, Some(&sentry));
    let secured = |port| sentry.sidecar("host", Some(port), folder.path());
    let (one, other) = (Host::start(secured, &placement).await, Host::start(secured, &placement).await);
    let leader = placement.leader().await;
    until("both are known", async || placement.tables(leader).await.is_some_and(|(_, hosts)| hosts == 2)).await;
    for id in 0..20 {
        until("an actor answers", async || call(&one.sidecar, id).await).await;
    }
    assert!(one.calls() > 0 && other.calls() > 0, "some live here, some there");
}
