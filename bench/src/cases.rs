//! What is measured under load.
use crate::app::{self, SIZE};
use crate::client::{Call, Client};
use crate::connection::{Connection, publish};
use crate::deliveries::Deliveries;
use crate::grpc_client::{Grpc, echoed, invocation};
use crate::load::Load;
use crate::process::{App, Binary, Daprd, Process, Setup};
use crate::sentry::Sentry;
use crate::{extremes, grpc_app};
use bytes::Bytes;
use foundation_drain::Drain;
use futures_util::future::try_join_all;
use http::{Method, StatusCode};
use std::time::{Duration, Instant};

/// Callers at once. Over HTTP each has a connection; over gRPC they share one, as those of one client do.
const CALLERS: usize = 32;
const WARM_UP: Duration = Duration::from_millis(500);
const DISCOVERY: Duration = Duration::from_secs(20);

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// 1 KiB to the app and 1 KiB back, without any sidecar: what the client and the app of the measurement take themselves.
    Direct,
    /// The same over gRPC.
    DirectGrpc,
    /// 1 KiB to another app and 1 KiB back, through two sidecars.
    Invoke,
    /// The same over mutual TLS.
    InvokeSecured,
    /// The same through the gRPC API.
    InvokeGrpc,
    /// The same by calls of the app's own gRPC service, which the sidecars pass on.
    Proxy,
    /// The same by messages of streams that stay open.
    ProxyStream,
    Save,
    Get,
    Publish,
    /// From the publisher to the app.
    Deliver,
}

/// What a case came to; times in milliseconds, CPU in microseconds per request, memory in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// With many callers at once.
    pub(crate) p99_of_many: f64,
    pub(crate) per_second: f64,
    pub(crate) cpu: f64,
    pub(crate) memory: f64,
}

/// Sidecars at work, with what a case needs of them.
struct World<'a> {
    case: Case,
    sidecars: Vec<Daprd>,
    /// The app that is called.
    app: App,
    _sentry: Option<Sentry>,
    deliveries: Deliveries,
    drain: &'a Drain,
}

impl Case {
    pub(crate) const ALL: [Self; 11] = [
        Self::Direct,
        Self::DirectGrpc,
        Self::Invoke,
        Self::InvokeSecured,
        Self::InvokeGrpc,
        Self::Proxy,
        Self::ProxyStream,
        Self::Save,
        Self::Get,
        Self::Publish,
        Self::Deliver,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "no sidecar 1 KiB",
            Self::DirectGrpc => "no sidecar, gRPC 1 KiB",
            Self::Invoke => "invoke 1 KiB",
            Self::InvokeSecured => "invoke 1 KiB with mTLS",
            Self::InvokeGrpc => "gRPC invoke 1 KiB",
            Self::Proxy => "gRPC proxy 1 KiB",
            Self::ProxyStream => "gRPC proxy 1 KiB in streams",
            Self::Save => "state save",
            Self::Get => "state get",
            Self::Publish => "publish",
            Self::Deliver => "publish to delivery",
        }
    }

    fn is_grpc(self) -> bool {
        matches!(self, Self::DirectGrpc | Self::InvokeGrpc | Self::Proxy | Self::ProxyStream)
    }

    fn calls_another(self) -> bool {
        self.is_grpc() || matches!(self, Self::Invoke | Self::InvokeSecured)
    }

    /// Whether a sentry is needed.
    pub(crate) fn is_secured(self) -> bool {
        self == Self::InvokeSecured
    }

    fn call(self) -> Call {
        let (method, path, body, expect) = match self {
            Self::Save => (Method::POST, "/v1.0/state/store", entries(), StatusCode::NO_CONTENT),
            Self::Get => (Method::GET, "/v1.0/state/store/key", Bytes::new(), StatusCode::OK),
            Self::Publish | Self::Deliver => return publish(0),
            _ => (Method::POST, "/v1.0/invoke/callee/method/echo", vec![b'x'; SIZE].into(), StatusCode::OK),
        };
        Call { method, path: path.to_owned(), body, expect }
    }
}

impl<'a> World<'a> {
    async fn start(binary: &Binary<'_>, case: Case, drain: &'a Drain) -> anyhow::Result<Self> {
        let sentry = match binary.sentry.filter(|_| case.is_secured()) {
            Some(sentry) => Some(Sentry::start(sentry, "24h", &[], drain).await?),
            None => None,
        };
        let setup = Setup { sentry: sentry.as_ref(), ..Setup::default() };
        let deliveries = Deliveries::default();
        let subscribed = (case == Case::Deliver).then(|| deliveries.clone());
        let mut app = App::http(app::start(subscribed, drain).await?);
        let mut sidecars = vec![Daprd::start(binary, "caller", Some(app), setup, drain).await?];
        if case.calls_another() {
            if case.is_grpc() {
                app = App::grpc(grpc_app::start(drain).await?);
            }
            sidecars.push(Daprd::start(binary, "callee", Some(app), setup, drain).await?);
        }
        Ok(Self { case, sidecars, app, _sentry: sentry, deliveries, drain })
    }

    async fn connections(&self, count: usize) -> anyhow::Result<Vec<Connection>> {
        if !self.case.is_grpc() {
            return try_join_all((0..count).map(|_| self.connect())).await;
        }
        let port = if self.case == Case::DirectGrpc { self.app.port } else { self.sidecars[0].grpc_port };
        let grpc = Grpc::connect(port, self.drain).await?;
        try_join_all((0..count).map(|_| self.share(grpc.clone()))).await
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        let port = if self.case == Case::Direct { self.app.port } else { self.sidecars[0].port };
        let client = Client::connect(port, self.drain).await?;
        Ok(match self.case {
            Case::Deliver => Connection::Deliver(client, self.deliveries.clone()),
            case => Connection::Http(client, case.call()),
        })
    }

    async fn share(&self, grpc: Grpc) -> anyhow::Result<Connection> {
        Ok(match self.case {
            Case::InvokeGrpc => Connection::Invoke(grpc, invocation()),
            Case::ProxyStream => Connection::Stream(Box::new(grpc.stream().await?), echoed()),
            _ => Connection::Proxy(grpc, echoed()),
        })
    }

    async fn load(&self, callers: usize, duration: Duration) -> anyhow::Result<Load> {
        Load::run(self.connections(callers).await?, duration).await
    }

    /// Saves the entry that is read, and waits until the other app is found, or the subscription works.
    async fn prepare(&self) -> anyhow::Result<()> {
        let mut client = Client::connect(self.sidecars[0].port, self.drain).await?;
        client.send(&Case::Save.call()).await?;
        let start = Instant::now();
        loop {
            let tried = async { try_join_all(self.connections(1).await?.iter_mut().map(Connection::once)).await };
            match tokio::time::timeout(Duration::from_secs(2), tried).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) if start.elapsed() > DISCOVERY => return Err(error),
                Err(elapsed) if start.elapsed() > DISCOVERY => return Err(elapsed.into()),
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

/// Measures one case with fresh sidecars.
pub(crate) async fn run(binary: &Binary<'_>, case: Case, duration: Duration, drain: &Drain) -> anyhow::Result<Figures> {
    let world = World::start(binary, case, drain).await?;
    world.prepare().await?;
    world.load(CALLERS, WARM_UP).await?;
    let one = world.load(1, duration).await?;
    let before = total(&world.sidecars, Process::cpu)?;
    let many = world.load(CALLERS, duration).await?;
    let cpu = (total(&world.sidecars, Process::cpu)? - before) * 1e6 / many.count() as f64;
    let (p50, p99) = (one.percentile(50), one.percentile(99));
    let (p99_of_many, memory) = (many.percentile(99), world.sidecars[0].process.memory()?);
    Ok(Figures { p50, p99, p99_of_many, per_second: many.per_second(), cpu, memory })
}

/// Measures what large bodies and many connections take, with fresh sidecars.
pub(crate) async fn run_extreme(
    binary: &Binary<'_>,
    extreme: extremes::Extreme,
    drain: &Drain,
) -> anyhow::Result<Vec<extremes::Figure>> {
    let world = World::start(binary, Case::Invoke, drain).await?;
    world.prepare().await?;
    extremes::run(&world.sidecars, extreme, drain).await
}

fn total(sidecars: &[Daprd], of: impl Fn(&Process) -> anyhow::Result<f64>) -> anyhow::Result<f64> {
    sidecars.iter().map(|sidecar| of(&sidecar.process)).sum()
}

fn entries() -> Bytes {
    let value = "x".repeat(SIZE);
    serde_json::json!([{"key": "key", "value": value}]).to_string().into()
}
