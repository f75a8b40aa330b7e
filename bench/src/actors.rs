//! Actors: calls of those that live on the sidecar that is called and of those that live on another, how fast they are activated, what
//! they weigh at rest, and how others serve those of a host that is killed under load.
use crate::app::{Body, SIZE, serve, whole};
use crate::client::{Call, Client};
use crate::connection::Connection;
use crate::extremes::Figure;
use crate::load::Load;
use crate::placement::Placement;
use crate::process::{App, Binary, Daprd, Setup};
use bytes::Bytes;
use foundation_drain::Drain;
use futures_util::future::try_join_all;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 32;
/// Actors that are activated, and that the host has which is killed.
const ACTORS: usize = 10_000;
const PATIENCE: Duration = Duration::from_secs(60);

/// Which host has served each actor last. Hosts are numbered as they come, and no actor goes back to one that is gone.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    hosts: Vec<usize>,
    /// Calls that came to a host after a later one had the actor.
    went_back: usize,
}

impl Ledger {
    fn note(&self, host: usize, path: &str) {
        let Some(id) = path.split('/').nth(3).and_then(|id| id.parse::<usize>().ok()) else { return };
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if book.hosts.len() <= id {
            book.hosts.resize(id + 1, 0);
        }
        book.went_back += usize::from(book.hosts[id] > host);
        book.hosts[id] = book.hosts[id].max(host);
    }

    fn went_back(&self) -> f64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).went_back as f64
    }
}

/// Measures all of it with fresh sidecars and a fresh placement service.
pub(crate) async fn run(
    (daprd, placement): (&Binary<'_>, &Path),
    duration: Duration,
    drain: &Drain,
) -> anyhow::Result<Vec<Figure>> {
    let placement = Placement::start(placement, drain).await?;
    let ledger = Ledger::default();
    let host = host((daprd, &placement), (&ledger, 0), drain).await?;
    settled(&host, "0", drain).await?;
    let mut figures = idle(&host, drain).await?;
    let here = calls(&host, &host, duration, drain).await?;
    figures.extend(rows(here, HERE));
    let caller =
        Daprd::start(daprd, "caller", None, Setup { flags: &placement.flags(), ..Setup::default() }, drain).await?;
    settled(&caller, "0", drain).await?;
    let there = calls(&caller, &host, duration, drain).await?;
    figures.extend(rows(there, THERE));
    figures.extend(killed((host, &caller), (daprd, &placement), &ledger, drain).await?);
    Ok(figures)
}

const HERE: [&str; 4] = [
    "actor call here: p50, one at a time (ms)",
    "actor call here: p99, one at a time (ms)",
    "actor call here: requests/s, 32 at once",
    "actor call here: CPU/request (us)",
];
const THERE: [&str; 4] = [
    "actor call there: p50, one at a time (ms)",
    "actor call there: p99, one at a time (ms)",
    "actor call there: requests/s, 32 at once",
    "actor call there: CPU/request (us)",
];

fn rows(values: [f64; 4], names: [&'static str; 4]) -> impl Iterator<Item = Figure> {
    names.into_iter().zip(values)
}

/// A sidecar whose app hosts actors.
async fn host(
    (daprd, placement): (&Binary<'_>, &Placement),
    (ledger, number): (&Ledger, usize),
    drain: &Drain,
) -> anyhow::Result<Daprd> {
    let ledger = ledger.clone();
    let port = serve(drain, move |socket| {
        let (connection, ledger) = (TokioIo::new(socket), ledger.clone());
        let answered = service_fn(move |request| {
            ledger.note(number, Request::uri(&request).path());
            answer(request)
        });
        async move { drop(hyper::server::conn::http1::Builder::new().serve_connection(connection, answered).await) }
    })
    .await?;
    let flags = placement.flags();
    Daprd::start(daprd, "host", Some(App::http(port)), Setup { flags: &flags, ..Setup::default() }, drain).await
}

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let is_config = request.uri().path() == "/dapr/config";
    let mut body = request.into_body();
    while body.frame().await.is_some() {}
    Ok(Response::new(if is_config { whole(r#"{"entities":["t"]}"#) } else { whole(vec![b'x'; SIZE]) }))
}

fn call(id: &str) -> Call {
    let path = format!("/v1.0/actors/t/{id}/method/m");
    Call { method: Method::PUT, path, body: Bytes::from(vec![b'x'; SIZE]), expect: StatusCode::OK }
}

/// Waits until an actor answers.
async fn settled(sidecar: &Daprd, id: &str, drain: &Drain) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        let tried = async { Client::connect(sidecar.port, drain).await?.send(&call(id)).await };
        match tokio::time::timeout(PATIENCE, tried).await? {
            Err(error) if start.elapsed() > PATIENCE => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            Ok(()) => return Ok(()),
        }
    }
}

/// Activates actors, and weighs them at rest.
async fn idle(host: &Daprd, drain: &Drain) -> anyhow::Result<Vec<Figure>> {
    let (memory, start) = (host.process.memory()?, Instant::now());
    call_all(host, drain).await?;
    let rate = ACTORS as f64 / start.elapsed().as_secs_f64();
    let bytes = (host.process.memory()? - memory) / ACTORS as f64;
    Ok(vec![("activations/s, 32 at once", rate), ("memory of an actor at rest (bytes)", bytes)])
}

/// Calls all actors, each once, and gives the longest time that one took.
async fn call_all(sidecar: &Daprd, drain: &Drain) -> anyhow::Result<Duration> {
    let worker = async |first: usize| {
        let mut client = Client::connect(sidecar.port, drain).await?;
        let mut longest = Duration::ZERO;
        for id in (first..ACTORS).step_by(CONNECTIONS) {
            let start = Instant::now();
            client.send(&call(&id.to_string())).await?;
            longest = longest.max(start.elapsed());
        }
        anyhow::Ok(longest)
    };
    let longest = try_join_all((0..CONNECTIONS).map(worker)).await?;
    Ok(longest.into_iter().max().unwrap_or_default())
}

/// Latencies in milliseconds, calls per second, and microseconds of the processor for each.
async fn calls(sidecar: &Daprd, host: &Daprd, duration: Duration, drain: &Drain) -> anyhow::Result<[f64; 4]> {
    let one = load(sidecar, 1, duration, drain).await?;
    let is_another = sidecar.port != host.port;
    let cpu = || Ok::<_, anyhow::Error>(sidecar.process.cpu()? + if is_another { host.process.cpu()? } else { 0.0 });
    let before = cpu()?;
    let many = load(sidecar, CONNECTIONS, duration, drain).await?;
    let each = (cpu()? - before) * 1e6 / many.count() as f64;
    Ok([one.percentile(50), one.percentile(99), many.per_second(), each])
}

/// Each connection calls an actor of its own.
async fn load(sidecar: &Daprd, connections: usize, duration: Duration, drain: &Drain) -> anyhow::Result<Load> {
    let mut all = Vec::with_capacity(connections);
    for id in 0..connections {
        all.push(Connection::Http(Client::connect(sidecar.port, drain).await?, call(&id.to_string())));
    }
    Load::run(all, duration).await
}

/// Kills the host under load while a second one is there.
async fn killed(
    (host, caller): (Daprd, &Daprd),
    (daprd, placement): (&Binary<'_>, &Placement),
    ledger: &Ledger,
    drain: &Drain,
) -> anyhow::Result<[Figure; 3]> {
    let other = self::host((daprd, placement), (ledger, 1), drain).await?;
    settled(&other, "0", drain).await?;
    call_all(caller, drain).await?;
    let taken_over = async {
        let start = Instant::now();
        drop(host);
        let longest = call_all(caller, drain).await?;
        anyhow::Ok((start.elapsed().as_secs_f64(), longest.as_secs_f64()))
    };
    let (all, longest) = tokio::select! {
        taken_over = taken_over => taken_over?,
        error = endless(caller, drain) => return Err(error),
    };
    Ok([
        ("10,000 actors after their host was killed: all answer (s)", all),
        ("10,000 actors after their host was killed: longest call (s)", longest),
        ("10,000 actors after their host was killed: calls at both hosts", ledger.went_back()),
    ])
}

/// Calls actors one after the other until a call fails; gives why.
async fn endless(sidecar: &Daprd, drain: &Drain) -> anyhow::Error {
    let worker = async {
        let mut client = Client::connect(sidecar.port, drain).await?;
        for id in (0..ACTORS).cycle() {
            client.send(&call(&id.to_string())).await?;
        }
        anyhow::Ok(())
    };
    worker.await.err().unwrap_or_else(|| anyhow::anyhow!("the load has ended"))
}
