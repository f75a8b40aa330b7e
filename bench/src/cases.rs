//! What is measured under load.
use crate::app::{self, SIZE};
use crate::client::{Call, Client};
use crate::load::Load;
use crate::process::Daprd;
use bytes::Bytes;
use foundation_drain::Drain;
use http::{Method, StatusCode};
use std::path::Path;
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 32;
const WARM_UP: Duration = Duration::from_millis(500);
const DISCOVERY: Duration = Duration::from_secs(20);

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// 1 KiB to another app and 1 KiB back, through two sidecars.
    Invoke,
    Save,
    Get,
    Publish,
}

/// What a case came to; times in milliseconds, CPU in microseconds per request, memory in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) per_second: f64,
    pub(crate) cpu: f64,
    pub(crate) memory: f64,
}

impl Case {
    pub(crate) const ALL: [Self; 4] = [Self::Invoke, Self::Save, Self::Get, Self::Publish];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Invoke => "invoke 1 KiB",
            Self::Save => "state save",
            Self::Get => "state get",
            Self::Publish => "publish",
        }
    }

    fn call(self) -> Call {
        let (method, path, body, expect) = match self {
            Self::Invoke => (Method::POST, "/v1.0/invoke/callee/method/echo", vec![b'x'; SIZE].into(), StatusCode::OK),
            Self::Save => (Method::POST, "/v1.0/state/store", entries(), StatusCode::NO_CONTENT),
            Self::Get => (Method::GET, "/v1.0/state/store/key", Bytes::new(), StatusCode::OK),
            Self::Publish => (Method::POST, "/v1.0/publish/broker/topic", event(), StatusCode::NO_CONTENT),
        };
        Call { method, path: path.to_owned(), body, expect }
    }
}

/// Measures one case with fresh sidecars.
pub(crate) async fn run(path: &Path, case: Case, duration: Duration, drain: &Drain) -> anyhow::Result<Figures> {
    let (caller, callee) = (app::start(drain).await?, app::start(drain).await?);
    let sidecar = Daprd::start(path, "caller", Some(caller), drain).await?;
    let mut sidecars = vec![sidecar];
    if case == Case::Invoke {
        sidecars.push(Daprd::start(path, "callee", Some(callee), drain).await?);
    }
    let port = sidecars[0].port;
    prepare(port, case, drain).await?;
    let call = case.call();
    Load::run(port, &call, CONNECTIONS, WARM_UP, drain).await?;
    let one = Load::run(port, &call, 1, duration, drain).await?;
    let before = total(&sidecars, Daprd::cpu)?;
    let many = Load::run(port, &call, CONNECTIONS, duration, drain).await?;
    let cpu = (total(&sidecars, Daprd::cpu)? - before) * 1e6 / many.count() as f64;
    let (p50, p99) = (one.percentile(50), one.percentile(99));
    Ok(Figures { p50, p99, per_second: many.per_second(), cpu, memory: sidecars[0].memory()? })
}

fn total(sidecars: &[Daprd], of: impl Fn(&Daprd) -> anyhow::Result<f64>) -> anyhow::Result<f64> {
    sidecars.iter().map(of).sum()
}

/// Saves the entry that is read, and waits until the other app is found.
async fn prepare(port: u16, case: Case, drain: &Drain) -> anyhow::Result<()> {
    let mut client = Client::connect(port, drain).await?;
    client.send(&Case::Save.call()).await?;
    let (call, start) = (case.call(), Instant::now());
    while case == Case::Invoke && client.status(&call).await? != call.expect && start.elapsed() < DISCOVERY {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    client.send(&call).await
}

fn entries() -> Bytes {
    let value = "x".repeat(SIZE);
    serde_json::json!([{"key": "key", "value": value}]).to_string().into()
}

fn event() -> Bytes {
    serde_json::json!({"order": "x".repeat(SIZE)}).to_string().into()
}
