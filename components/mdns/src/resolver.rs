//! The resolver: registers the own app, looks others up in the cache or on the network.
use crate::cache::Cache;
use crate::daemon::{Command, Daemon};
use crate::message::Message;
use crate::records::{Service, service_name};
use async_trait::async_trait;
use component_api::naming::{Registration, Resolver, Target};
use component_api::{Error, Kind, Result};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

/// How long the network is asked for an app that is not known (protocols.md 6.6).
const BROWSE: Duration = Duration::from_secs(1);
/// A question is asked again after this time, as datagrams get lost.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// Finds apps by multicast DNS. Its socket and task start with the first use.
#[derive(Debug, Default)]
pub struct Mdns {
    cache: Arc<Cache>,
    daemon: Mutex<Option<Daemon>>,
}

impl Mdns {
    /// A resolver that has not started yet.
    pub fn new() -> Self {
        Self::default()
    }

    async fn commands(&self) -> Result<mpsc::Sender<Command>> {
        let mut daemon = self.daemon.lock().await;
        if let Some(daemon) = daemon.as_ref() {
            return Ok(daemon.commands.clone());
        }
        let started = Daemon::start(Arc::clone(&self.cache))?;
        let commands = started.commands.clone();
        *daemon = Some(started);
        Ok(commands)
    }

    async fn browse(&self, app_id: &str) -> Result<Vec<String>> {
        let commands = self.commands().await?;
        let deadline = Instant::now() + BROWSE;
        while Instant::now() < deadline {
            commands.send(Command::Ask(app_id.to_owned())).await.map_err(|_| closed())?;
            let patience = deadline.min(Instant::now() + ASK_AGAIN);
            if let Ok(addresses) = timeout_at(patience, self.cache.wait(app_id)).await {
                return Ok(addresses);
            }
        }
        Err(Error::new(Kind::NotFound, format!("couldn't find service: {app_id}")))
    }
}

#[async_trait]
impl Resolver for Mdns {
    async fn register(&self, own: Registration) -> Result<()> {
        let service = service(own)?;
        let announced = format!("local service entry announced: {} -> {}", service.app_id, service.address);
        let (done, finished) = oneshot::channel();
        self.commands().await?.send(Command::Serve(service, done)).await.map_err(|_| closed())?;
        finished.await.map_err(|_| closed())?;
        tracing::info!(target: "dapr.nameresolution.mdns", "{announced}");
        Ok(())
    }

    /// The namespace does not count: names are those of the network.
    async fn resolve(&self, target: &Target) -> Result<Vec<String>> {
        if Message::query(service_name(&target.app_id)).encode().is_none() {
            return Err(Error::new(Kind::NotFound, format!("couldn't find service: {}", target.app_id)));
        }
        let known = self.cache.lookup(&target.app_id);
        if known.is_empty() { self.browse(&target.app_id).await } else { Ok(known) }
    }

    async fn close(&self) -> Result<()> {
        if let Some(daemon) = self.daemon.lock().await.take() {
            daemon.close().await;
        }
        Ok(())
    }
}

fn service(own: Registration) -> Result<Service> {
    if own.app_id.is_empty() {
        return Err(Error::invalid("name is missing"));
    }
    if own.port == 0 {
        return Err(Error::invalid("port is missing or invalid"));
    }
    let address: IpAddr = own.address.parse().map_err(|_| Error::invalid("address is missing or no IP address"))?;
    let host_name = host_name();
    let service = Service {
        instance: format!("{host_name}:{}", std::process::id()),
        address: SocketAddr::new(address, own.port),
        app_id: own.app_id,
        host_name,
    };
    let writable = service.announcement().encode().is_some();
    writable.then_some(service).ok_or_else(|| Error::invalid("the app id or host name is too long for DNS (63 bytes)"))
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

fn closed() -> Error {
    Error::new(Kind::Unavailable, "the resolver is closed")
}
