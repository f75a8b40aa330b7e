//! The process around the service.
use crate::clock::{Clock, System};
use crate::engine::{self, Parts};
use crate::identity::Authorization;
use crate::keyspace::Keyspace;
use crate::leadership;
use crate::metrics::Metrics;
use crate::namespaces::Namespaces;
use crate::options::Options;
use crate::pool::Pool;
use crate::service::Service;
use crate::storage::Guard;
use crate::{broadcast, storage};
use anyhow::Context as _;
use foundation_drain::Drain;
use foundation_identity::{Acceptor, ClientAuth};
use foundation_kubernetes::Kubernetes;
use foundation_process::{Context, Refused, listen, serve_grpc};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::transport::Server;
use wire::scheduler::v1::scheduler_server::SchedulerServer;

const SCOPE: &str = "dapr.scheduler";
const APP_ID: &str = "dapr-scheduler";
/// Pause between pings of a silent sidecar, and how long it may take to answer (Dapr 1.18).
const KEEPALIVE: Duration = Duration::from_secs(3);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// A scheduler that has been started in a process.
#[derive(Clone, Copy, Debug)]
pub struct Started {
    /// The port that sidecars connect to.
    pub port: u16,
    /// The port of the embedded store.
    pub etcd_port: Option<u16>,
}

/// Starts the scheduler in a process.
///
/// # Errors
/// A port that is taken, and a store that cannot be opened.
pub async fn start(options: &Options, context: &Context) -> anyhow::Result<Started> {
    let identity = match &options.mtls {
        Some(mtls) => Some(mtls.identity(APP_ID, &context.drain).await.context("cannot get an identity")?),
        None => None,
    };
    let metrics = Metrics::new(&context.metrics)?;
    let refused = Refused::new(&context.metrics, "scheduler")?;
    let guard = Guard { identity: identity.as_ref(), refused: &refused };
    // The store ends after all that writes to it, but before the process.
    let (client, etcd_port) = storage::open(options, guard, &metrics, &context.drain).await?;
    let keyspace = Keyspace::new(client);
    follow_namespaces(options, &keyspace, &context.drain)?;
    let listener = listen::tcp(&options.address, options.port).await;
    let listener = listener.with_context(|| format!("cannot listen on port {}; check --port", options.port))?;
    let port = listener.local_addr()?.port();
    let service = serve_jobs(options, port, keyspace, metrics, context)?;
    tracing::info!(target: SCOPE, "Dapr Scheduler listening on: {}", listener.local_addr()?);
    let acceptor = identity.map(|identity| identity.acceptor(ClientAuth::Required)).transpose()?;
    serve(service, (listener, acceptor), refused, &context.drain);
    context.ready.set(true);
    Ok(Started { port, etcd_port })
}

fn serve_jobs(
    options: &Options,
    port: u16,
    keyspace: Keyspace,
    metrics: Metrics,
    context: &Context,
) -> anyhow::Result<Service> {
    let address = broadcast::address(options, port)
        .context("cannot find the address of this host; set --override-broadcast-host-port")?;
    let (pool, clock): (_, Arc<dyn Clock>) = (Pool::new(metrics.clone()), Arc::new(System));
    let drain = &context.drain;
    let agreed = leadership::start(keyspace.clone(), options.id.clone(), address.clone(), drain);
    follow_shares(agreed.clone(), pool.clone(), address, drain);
    let parts = Parts {
        keyspace: keyspace.clone(),
        pool: pool.clone(),
        metrics: metrics.clone(),
        clock: Arc::clone(&clock),
        workers: options.workers,
    };
    announce_workers(&options.id, options.workers);
    let is_running = engine::start(parts, agreed.clone(), drain);
    let authorization = Authorization { is_enabled: options.mtls.is_some(), metrics: metrics.clone() };
    Ok(Service { keyspace, pool, metrics, clock, authorization, agreed, is_running, drain: drain.clone() })
}

fn follow_namespaces(options: &Options, keyspace: &Keyspace, drain: &Drain) -> anyhow::Result<()> {
    let Some(settings) = &options.kubernetes else { return Ok(()) };
    let kubernetes = Kubernetes::new(settings).context("cannot follow namespaces")?;
    let namespaces = Namespaces::new(kubernetes, keyspace.clone());
    drain.spawn_until_stopped(async move { match namespaces.follow().await {} });
    Ok(())
}

/// Tells the pool its part of what may run at once, in the order of addresses.
fn follow_shares(mut agreed: watch::Receiver<Option<leadership::Elected>>, pool: Pool, address: String, drain: &Drain) {
    drain.spawn_until_stopped(async move {
        loop {
            if let Some(elected) = agreed.borrow_and_update().clone() {
                pool.set_share(elected.total, elected.place(&address));
            }
            if agreed.changed().await.is_err() {
                return;
            }
        }
    });
}

/// The line that Dapr's job library writes to the standard error, for those who read it there.
fn announce_workers(id: &str, workers: usize) {
    let id = serde_json::Value::from(id);
    let line = format!(
        "{{\"level\":\"info\",\"logger\":\"diagrid-cron.queue\",\"msg\":\"Starting queue with workers\",\"id\":{id},\"count\":{workers}}}\n"
    );
    std::io::stderr().write_all(line.as_bytes()).ok();
}

fn serve(service: Service, (listener, acceptor): (TcpListener, Option<Acceptor>), refused: Refused, drain: &Drain) {
    let service =
        SchedulerServer::new(service).max_decoding_message_size(usize::MAX).max_encoding_message_size(usize::MAX);
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_service(service);
    let stopping = drain.clone();
    drain.spawn(async move {
        if let Err(error) = serve_grpc(server, listener, acceptor, &stopping, refused).await {
            stopping.fail(format!("scheduler failed: {error}"));
        }
    });
}
