//! The process: credentials, identity of its own, servers, and what changes while it runs.
use crate::counting::counted;
use crate::fitness::Fitness;
use crate::kubernetes::Kubernetes;
use crate::metrics::Metrics;
use crate::oidc::{self, Oidc};
use crate::options::{OidcOptions, Options};
use crate::parent;
use crate::service::{Service, Signers};
use crate::settings::Settings;
use crate::source::Source;
use crate::validator::{Jwks, PodTokens, Validators};
use anyhow::Context as _;
use arc_swap::ArcSwap;
use axum::Router;
use foundation_drain::Drain;
use foundation_identity::{Acceptor, ClientAuth, Identity, SpiffeId, TrustDomain};
use foundation_kubernetes::{Kubernetes as Api, Settings as Access};
use foundation_process::listen::{self, Listener};
use foundation_process::{Context, Refused, serve, serve_grpc, serve_tls};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tonic::service::Routes;
use tonic::transport::Server;
use wire::sentry::v1::ca_server::CaServer;

const SCOPE: &str = "dapr.sentry";
/// The usual name of sentry's configuration in a cluster.
const CONFIGURATION: &str = "daprsystem";
const APP_ID: &str = "dapr-sentry";
/// Largest request in bytes: a signing request has some hundred of them, a token some thousand.
const LARGEST: usize = 128 << 10;
/// Longest connection and longest request: one is over in a moment, and anybody may connect.
const CONNECTION: Duration = Duration::from_secs(30);
/// Requests at once on a connection: a sidecar makes one.
const STREAMS: u32 = 8;
/// Bytes of all headers of a request.
const HEADERS: u32 = 16 << 10;

/// Starts sentry in a process; the health server gets no more routes.
///
/// # Errors
/// Credentials that cannot be used or written, a configuration that cannot be read, and ports that are taken.
pub(crate) async fn start(
    options: &Options,
    environment: &BTreeMap<String, String>,
    context: &Context,
) -> anyhow::Result<Router> {
    let access = Access::new(options.kubeconfig.clone(), environment);
    let api = options.kubernetes.then(|| Api::new(&access)).transpose()?;
    let kubernetes = api.map(|api| Arc::new(Kubernetes::new(api)));
    let settings = settings(options, kubernetes.as_deref(), environment).await?;
    let own = SpiffeId::new(TrustDomain::new(&options.trust_domain)?, &options.namespace, APP_ID)?;
    let metrics = Arc::new(Metrics::new(&context.metrics)?);
    let source = Source::new(options, settings.lifetimes, own.clone(), kubernetes.as_ref());
    let signers = source.load(&metrics).await.context("cannot use the credentials")?;
    let identity = Identity::new(signers.authority.own(&own)?, signers.authority.trust()?);
    let signers = Arc::new(ArcSwap::from_pointee(signers));
    let jwks = settings.jwks.as_ref().map(|options| Jwks::new(options, &own)).transpose()?;
    let kubernetes = kubernetes.map(|kubernetes| PodTokens::new(kubernetes, own.clone()));
    let validators = Arc::new(Validators::new(jwks, kubernetes));
    for validator in validators.all() {
        tracing::info!(target: SCOPE, "Using validator '{validator}'");
    }
    let service = Service::new(Arc::clone(&signers), Arc::clone(&validators), own);
    let service = CaServer::new(service).max_decoding_message_size(LARGEST);
    let routes = counted(Routes::new(service), Arc::clone(&metrics));
    listen_for_requests(options, routes, &identity, context).await?;
    match options.oidc.clone() {
        Some(oidc) if options.jwt.is_some() => publish(oidc, Arc::clone(&signers), &context.drain).await?,
        Some(_) => tracing::warn!(target: SCOPE, "OIDC HTTP server is disabled; --oidc-enabled needs --jwt-enabled"),
        None => {}
    }
    let fitness = Arc::new(Fitness::new(context.ready.clone()));
    context.drain.spawn_until_stopped(source.follow(signers, identity, metrics, Arc::clone(&fitness)));
    if options.stops_with_parent {
        context.drain.spawn_until_stopped(parent::watch(context.drain.clone()));
    }
    context.drain.spawn_until_stopped(async move {
        validators.get_ready().await;
        fitness.validators_are_ready();
        validators.follow().await;
    });
    Ok(Router::new())
}

async fn settings(
    options: &Options,
    kubernetes: Option<&Kubernetes>,
    environment: &BTreeMap<String, String>,
) -> anyhow::Result<Settings> {
    let Some(kubernetes) = kubernetes.filter(|_| options.is_in_cluster) else {
        return Ok(Settings::load(options.configuration.as_deref(), environment, options.root_ttl)?);
    };
    let name = options.configuration.as_deref().and_then(Path::to_str).unwrap_or(CONFIGURATION);
    Ok(Settings::of_cluster(kubernetes, &options.namespace, name, options.root_ttl).await?)
}

async fn listen_for_requests(
    options: &Options,
    routes: Routes,
    identity: &Identity,
    context: &Context,
) -> anyhow::Result<()> {
    let listener = listen::tcp(&options.address, options.port).await;
    let listener = listener.with_context(|| format!("cannot listen on port {}; check --port", options.port))?;
    tracing::info!(target: SCOPE, "Running gRPC server on port {}", listener.local_addr()?.port());
    let refused = Refused::new(&context.metrics, "sentry")?;
    let acceptor = identity.acceptor(ClientAuth::None)?;
    let server = Server::builder()
        .max_connection_age(CONNECTION)
        .max_connection_age_grace(CONNECTION)
        .timeout(CONNECTION)
        .max_concurrent_streams(STREAMS)
        .http2_max_header_list_size(HEADERS)
        .add_routes(routes);
    let stopping = context.drain.clone();
    context.drain.spawn(async move {
        if let Err(error) = serve_grpc(server, listener, Some(acceptor), &stopping, refused).await {
            stopping.fail(format!("gRPC server failed: {error}"));
        }
    });
    Ok(())
}

async fn publish(options: OidcOptions, signers: Arc<ArcSwap<Signers>>, drain: &Drain) -> anyhow::Result<()> {
    let listener = listen::tcp(&options.address, options.port).await;
    let check = || format!("cannot listen on port {}; check --oidc-server-listen-port", options.port);
    let listener = Listener::Tcp(listener.with_context(check)?);
    tracing::info!(target: SCOPE, "Starting OIDC HTTP server on port {}", options.port);
    let files = options.tls.clone();
    let routes = oidc::routes(Oidc { options, signers });
    match files {
        None => serve(listener, routes, drain),
        Some((certificate, key)) => {
            let read = |path: &PathBuf| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
            let acceptor = Acceptor::of_host(&read(&certificate)?, &read(&key)?);
            let acceptor = acceptor.context("check --oidc-server-tls-cert-file and --oidc-server-tls-key-file")?;
            serve_tls(listener, acceptor, routes, drain);
        }
    }
    Ok(())
}
