//! What is measured at the ends of the scale: large bodies and many connections.
use crate::app::{LARGE, LARGE_PATH, large};
use crate::client::{Call, Client};
use crate::process::Daprd;
use bytes::Bytes;
use foundation_drain::Drain;
use futures_util::future::try_join_all;
use http::{Method, StatusCode};
use std::time::Instant;

const IDLE: usize = 10_000;
/// Connections that are opened at once.
const AT_ONCE: usize = 100;
const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// A row of the table, and its value.
pub(crate) type Figure = (&'static str, f64);

/// What is driven to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extreme {
    /// 100 MiB to another app, and 100 MiB back.
    LargeBodies,
    /// Connections to one sidecar that have had a request and rest.
    IdleConnections,
}

impl Extreme {
    pub(crate) const ALL: [Self; 2] = [Self::LargeBodies, Self::IdleConnections];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::LargeBodies => "stream 100 MiB",
            Self::IdleConnections => "10,000 idle connections",
        }
    }
}

/// Measures one of them.
pub(crate) async fn run(sidecars: &[Daprd], extreme: Extreme, drain: &Drain) -> anyhow::Result<Vec<Figure>> {
    match extreme {
        Extreme::LargeBodies => large_bodies(sidecars, drain).await,
        Extreme::IdleConnections => idle_connections(&sidecars[0], drain).await,
    }
}

async fn large_bodies(sidecars: &[Daprd], drain: &Drain) -> anyhow::Result<Vec<Figure>> {
    let mut client = Client::connect(sidecars[0].port, drain).await?;
    let start = Instant::now();
    client.send_streamed("/v1.0/invoke/callee/method/take", large()).await?;
    let there = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let path = format!("/v1.0/invoke/callee/method{LARGE_PATH}");
    client.send(&Call { method: Method::GET, path, body: Bytes::new(), expect: StatusCode::OK }).await?;
    let back = start.elapsed().as_secs_f64();
    let peaks = sidecars.iter().map(|sidecar| sidecar.process.peak_memory()).collect::<anyhow::Result<Vec<_>>>()?;
    let mebibytes = LARGE as f64 / MEBIBYTE;
    Ok(vec![
        ("stream 100 MiB to an app (MiB/s)", mebibytes / there),
        ("stream 100 MiB from an app (MiB/s)", mebibytes / back),
        ("stream 100 MiB: peak memory of a sidecar (MiB)", peaks.into_iter().fold(0.0, f64::max) / MEBIBYTE),
    ])
}

async fn idle_connections(sidecar: &Daprd, drain: &Drain) -> anyhow::Result<Vec<Figure>> {
    let mut clients = Vec::with_capacity(IDLE);
    for _ in 0..IDLE / AT_ONCE {
        clients.extend(try_join_all((0..AT_ONCE).map(|_| rested(sidecar.port, drain))).await?);
    }
    Ok(vec![("10,000 idle connections: memory (MiB)", sidecar.process.memory()? / MEBIBYTE)])
}

async fn rested(port: u16, drain: &Drain) -> anyhow::Result<Client> {
    let mut client = Client::connect(port, drain).await?;
    client.send(&Call::health()).await?;
    Ok(client)
}
