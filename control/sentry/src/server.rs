//! The process: credentials, identity of its own, servers, and what changes while it runs.
use crate::authority::Authority;
use crate::credentials::{Credentials, Files};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::oidc::{self, Oidc};
use crate::options::{OidcOptions, Options};
use crate::service::{Service, Signers};
use crate::settings::Settings;
use crate::tokens::Tokens;
use crate::validator::{Jwks, Validators};
use anyhow::Context as _;
use arc_swap::ArcSwap;
use axum::Router;
use foundation_drain::Drain;
use foundation_identity::{Acceptor, ClientAuth, Identity, SpiffeId, Trust, TrustDomain};
use foundation_process::listen::{self, Listener};
use foundation_process::{Context, serve, serve_grpc, serve_tls};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tonic::transport::Server;
use wire::sentry::v1::ca_server::CaServer;

const SCOPE: &str = "dapr.sentry";
const APP_ID: &str = "dapr-sentry";
/// Between two looks at the files of the credentials and at the age of the own certificate.
const LOOK: Duration = Duration::from_secs(1);
/// Largest request in bytes: a signing request has some hundred of them, a token some thousand.
const LARGEST: usize = 128 << 10;

/// Starts sentry in a process; the health server gets no more routes.
///
/// # Errors
/// Credentials that cannot be used or written, a configuration that cannot be read, and ports that are taken.
pub(crate) async fn start(
    options: &Options,
    environment: &BTreeMap<String, String>,
    context: &Context,
) -> anyhow::Result<Router> {
    let settings = Settings::load(options.configuration.as_deref(), environment)?;
    let own = SpiffeId::new(TrustDomain::new(&options.trust_domain)?, &options.namespace, APP_ID)?;
    let metrics = Arc::new(Metrics::new(&context.metrics)?);
    let source = Source { options: options.clone(), settings: settings.clone(), own: own.clone() };
    let signers = source.load(&metrics).context("cannot use the credentials")?;
    let identity = Identity::new(signers.authority.own(&own)?, signers.authority.trust()?);
    let signers = Arc::new(ArcSwap::from_pointee(signers));
    let jwks = settings.jwks.as_ref().map(|options| Jwks::new(options, &own)).transpose()?;
    let validators = Arc::new(Validators::new(jwks));
    let service = Service::new(Arc::clone(&signers), Arc::clone(&validators), Arc::clone(&metrics), own);
    listen_for_requests(options, service, &identity, &metrics, &context.drain).await?;
    if let Some(oidc) = options.oidc.clone().filter(|_| options.jwt.is_some()) {
        publish(oidc, Arc::clone(&signers), &context.drain).await?;
    }
    context.drain.spawn_until_stopped(source.follow(signers, identity, metrics));
    let ready = context.ready.clone();
    context.drain.spawn_until_stopped(async move {
        validators.get_ready().await;
        ready.set(true);
    });
    Ok(Router::new())
}

async fn listen_for_requests(
    options: &Options,
    service: Service,
    identity: &Identity,
    metrics: &Arc<Metrics>,
    drain: &Drain,
) -> anyhow::Result<()> {
    let listener = listen::tcp(&options.address, options.port).await;
    let listener = listener.with_context(|| format!("cannot listen on port {}; check --port", options.port))?;
    tracing::info!(target: SCOPE, "Running gRPC server on port {}", listener.local_addr()?.port());
    let metrics = Arc::clone(metrics);
    let refused = move |error: &std::io::Error| {
        metrics.handshake_refused();
        tracing::debug!(target: SCOPE, "handshake failed: {error}");
    };
    let acceptor = identity.acceptor(ClientAuth::None)?;
    let service = CaServer::new(service).max_decoding_message_size(LARGEST);
    let server = Server::builder().add_service(service);
    let stopping = drain.clone();
    drain.spawn(async move {
        if let Err(error) = serve_grpc(server, listener, Some(acceptor), &stopping, refused).await {
            tracing::error!(target: SCOPE, "gRPC server failed: {error}");
            stopping.stop();
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
            serve_tls(listener, Acceptor::of_host(&read(&certificate)?, &read(&key)?)?, routes, drain);
        }
    }
    Ok(())
}

/// Where credentials come from.
struct Source {
    options: Options,
    settings: Settings,
    own: SpiffeId,
}

impl Source {
    /// Reads all credentials; makes them when there are none.
    fn load(&self, metrics: &Metrics) -> Result<Signers, Error> {
        match self.files().read()? {
            Some(credentials) => self.signers(&credentials, metrics),
            None => self.signers(&self.generate(metrics)?, metrics),
        }
    }

    fn generate(&self, metrics: &Metrics) -> Result<Credentials, Error> {
        tracing::info!(target: SCOPE, "Root and issuer certs not found: generating self signed CA");
        let credentials = Credentials::generate(&self.own, self.settings.lifetimes)?;
        self.files().write(&credentials)?;
        metrics.issuer_changed();
        Ok(credentials)
    }

    fn signers(&self, credentials: &Credentials, metrics: &Metrics) -> Result<Signers, Error> {
        let lifetimes = self.settings.lifetimes;
        let authority = Authority::new(credentials, lifetimes)?;
        authority.own(&self.own)?;
        let tokens = self.options.jwt.as_ref().map(|options| Tokens::load(options, lifetimes.skew)).transpose()?;
        metrics.issuer_expires(authority.expires());
        Ok(Signers { authority, tokens })
    }

    fn files(&self) -> Files {
        Files {
            ca: self.options.ca.clone(),
            issuer_certificate: self.options.issuer_certificate.clone(),
            issuer_key: self.options.issuer_key.clone(),
        }
    }

    /// Takes changed files, and renews the own certificate.
    async fn follow(self, signers: Arc<ArcSwap<Signers>>, identity: Identity, metrics: Arc<Metrics>) {
        let mut known = self.stamps();
        let mut renewal = half_life(&identity);
        loop {
            tokio::time::sleep(LOOK).await;
            let now = self.stamps();
            if now != known {
                known = now;
                self.reload(&signers, &identity, &metrics);
                renewal = half_life(&identity);
            }
            if SystemTime::now() >= renewal {
                self.renew(&signers, &identity);
                renewal = half_life(&identity);
            }
        }
    }

    fn reload(&self, signers: &ArcSwap<Signers>, identity: &Identity, metrics: &Metrics) {
        match self.reread(metrics) {
            Ok((trust, loaded)) => {
                signers.store(Arc::new(loaded));
                identity.trust(trust);
                self.renew(signers, identity);
                metrics.issuer_changed();
                tracing::info!(target: SCOPE, "credentials changed; new ones are in use");
            }
            Err(error) => tracing::error!(target: SCOPE, "changed credentials are not used: {error}"),
        }
    }

    /// While sentry runs nothing is made: files that are being replaced may be away for a moment.
    fn reread(&self, metrics: &Metrics) -> Result<(Trust, Signers), Error> {
        let gone = || Error::Incomplete(self.options.ca.display().to_string());
        let signers = self.signers(&self.files().read()?.ok_or_else(gone)?, metrics)?;
        Ok((signers.authority.trust()?, signers))
    }

    fn renew(&self, signers: &ArcSwap<Signers>, identity: &Identity) {
        match signers.load().authority.own(&self.own) {
            Ok(own) => identity.renew(own),
            Err(error) => tracing::error!(target: SCOPE, "cannot renew the own certificate: {error}"),
        }
    }

    /// What tells that a file has changed: when it was written, and its length.
    fn stamps(&self) -> Vec<Option<(SystemTime, u64)>> {
        let options = &self.options;
        let jwt = options.jwt.iter().flat_map(|jwt| [&jwt.key, &jwt.key_set]);
        let files = [&options.ca, &options.issuer_certificate, &options.issuer_key].into_iter().chain(jwt);
        let stamp = |path: &PathBuf| std::fs::metadata(path).and_then(|file| Ok((file.modified()?, file.len()))).ok();
        files.map(stamp).collect()
    }
}

fn half_life(identity: &Identity) -> SystemTime {
    let now = SystemTime::now();
    now + identity.own().expires().duration_since(now).unwrap_or_default() / 2
}
