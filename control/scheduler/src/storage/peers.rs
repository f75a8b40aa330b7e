//! The other schedulers that keep the same records: how this one reaches them, and who may reach it.
use super::{Guard, SCOPE};
use anyhow::Context as _;
use foundation_drain::Drain;
use foundation_etcd::{Members, Peers, Settings, Store};
use foundation_identity::{ClientAuth, Identity, SpiffeId};
use foundation_peer::ControlService;
use foundation_process::{listen, peer, serve_grpc};
use std::time::Duration;
use tokio::net::TcpListener;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::{Request, Status};

/// Pause between pings of a silent member, and how long it may take to answer.
const KEEPALIVE: Duration = Duration::from_secs(3);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens the store as one of several, and serves it to the others.
///
/// # Errors
/// A file that cannot be used, a port that is taken.
pub(super) async fn join(
    settings: Settings,
    members: &Members,
    guard: Guard<'_>,
    drain: &Drain,
) -> anyhow::Result<Store> {
    let (host, port) = members.listens_on();
    let listener = listen::tcp(host, port).await;
    let listener = listener
        .with_context(|| format!("cannot listen on {}; check --etcd-initial-cluster", members.own().address))?;
    // Schedulers have the same identity.
    let secured = guard.identity.map(|identity| (identity.clone(), identity.id()));
    let service = ControlService { addresses: Vec::new(), identity: secured };
    let channels = members.others().map(|member| (member.id, service.lazily(&member.address))).collect();
    let folder = settings.folder.clone();
    let joined = Store::join(settings, members.clone(), channels, drain).await;
    let (store, peers) =
        joined.with_context(|| format!("cannot open the store in {}; check --etcd-data-dir", folder.display()))?;
    tracing::info!(target: SCOPE, "jobs are kept by {} schedulers, which reach this one on {}", members.all().len(), listener.local_addr()?);
    serve(peers, listener, guard, drain)?;
    Ok(store)
}

fn serve(peers: Peers, listener: TcpListener, guard: Guard<'_>, drain: &Drain) -> anyhow::Result<()> {
    let (identity, refused) = (guard.identity, guard.refused.clone());
    let acceptor = identity.map(|identity| identity.acceptor(ClientAuth::Required)).transpose()?;
    let expected = identity.map(Identity::id);
    let admitted = InterceptedService::new(peers, move |request| admit(expected.as_ref(), request));
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_service(admitted);
    let stopping = drain.clone();
    drain.spawn(async move {
        if let Err(error) = serve_grpc(server, listener, acceptor, &stopping, refused).await {
            stopping.fail(format!("the store cannot be reached by other schedulers: {error}"));
        }
    });
    Ok(())
}

/// Without identities, whoever knows the names of all schedulers may ask.
fn admit(expected: Option<&SpiffeId>, request: Request<()>) -> Result<Request<()>, Status> {
    if expected.is_some() && peer(&request).as_ref() != expected {
        return Err(Status::permission_denied("only schedulers of this cluster may ask"));
    }
    Ok(request)
}
