//! The part of a process in the election: a server that others ask, and the candidate that asks them.
use crate::candidate::Candidate;
use crate::cluster::{Asked, Others};
use crate::election::Lease;
use crate::options::Options;
use crate::service::APP_ID;
use anyhow::Context as _;
use foundation_drain::Drain;
use foundation_identity::{Acceptor, ClientAuth, Identity, SpiffeId, TrustDomain};
use foundation_process::{Refused, listen, serve_grpc};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::transport::Server;
use tonic::transport::server::Router;
use wire::trilby::placement::election_server::ElectionServer;

const SCOPE: &str = "dapr.placement.leadership";

/// Starts to take part. Gives the right to serve, and changes of it; a replica that is alone always has it.
///
/// # Errors
/// A port that is taken.
pub(crate) async fn start(
    options: &Options,
    identity: Option<&Identity>,
    refused: Refused,
    drain: &Drain,
) -> anyhow::Result<watch::Receiver<Option<Lease>>> {
    let cluster = &options.cluster;
    let candidate = Candidate::new(cluster.own(), cluster.len(), rand::random());
    let lead = candidate.lead();
    let (address, port) = cluster.listens_on();
    let listener = match listen::tcp(address, port).await {
        Ok(listener) => listener,
        Err(error) if cluster.len() == 1 => {
            tracing::warn!(target: SCOPE, "cannot listen on port {port} of --initial-cluster, which nobody needs without other replicas: {error}");
            return Ok(lead);
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot listen on port {port}; check --initial-cluster"));
        }
    };
    let id = own_id(options)?;
    let asked = Asked { cluster: cluster.clone(), candidate: candidate.clone(), id: id.clone() };
    let acceptor = identity.map(|identity| identity.acceptor(ClientAuth::Required)).transpose()?;
    serve(Server::builder().add_service(ElectionServer::new(asked)), (listener, acceptor), refused, drain);
    let others = Others::new(cluster, identity.cloned().zip(id));
    drain.spawn_until_stopped(async move { candidate.run(&others).await });
    Ok(lead)
}

/// What this replica and all others are known by.
fn own_id(options: &Options) -> anyhow::Result<Option<SpiffeId>> {
    let Some(mtls) = &options.mtls else { return Ok(None) };
    let domain = TrustDomain::new(&mtls.trust_domain)?;
    Ok(Some(SpiffeId::new(domain, &mtls.namespace, APP_ID)?))
}

/// Serves until the process ends, and ends it when that fails.
pub(crate) fn serve(
    server: Router,
    (listener, acceptor): (TcpListener, Option<Acceptor>),
    refused: Refused,
    drain: &Drain,
) {
    let serving = drain.clone();
    drain.spawn(async move {
        if let Err(error) = serve_grpc(server, listener, acceptor, &serving, refused).await {
            serving.fail(format!("placement service failed: {error}"));
        }
    });
}
