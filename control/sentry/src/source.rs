//! Where credentials come from: files that are followed, and replaced when their time has come.
mod cluster;

use crate::error::Error;
use crate::fitness::Fitness;
use crate::kubernetes::Kubernetes;
use crate::metrics::Metrics;
use crate::options::{JwtOptions, Options};
use crate::service::Signers;
use crate::tokens::Tokens;
use crate::trust_bundle::TrustBundle;
use arc_swap::ArcSwap;
use cluster::Cluster;
use foundation_credentials::{self as credentials, Authority, Credentials, Files, Lifetimes, Rotation, Step};
use foundation_identity::{Identity, SpiffeId, Trust};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep};

const SCOPE: &str = "dapr.sentry";
/// Between two looks at the files, at the age of the own certificate, and at what is to become of the root.
const LOOK: Duration = Duration::from_secs(1);
/// Between two renewals of the own certificate, however short its life is.
const REST: Duration = Duration::from_millis(5);
/// For roots that live for seconds.
const QUICK_LOOK: Duration = Duration::from_millis(200);
/// Longest time between two looks at what is to become of the root; one that failed is repeated after it.
const RETRY: Duration = Duration::from_secs(60);
/// A root that nobody replaces is spoken of this long before its end, once a day.
const NOTICE: Duration = Duration::from_secs(60 * 24 * 3600);
/// How long another sentry is waited for that makes the keys of tokens.
const PATIENCE: Duration = Duration::from_secs(10);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Reads credentials, and keeps them fresh.
pub(crate) struct Source {
    rotation: Rotation,
    jwt: Option<JwtOptions>,
    /// In a cluster they are kept here, and files tell only that they have changed.
    cluster: Option<Cluster>,
}

/// When each file was written, and its length.
type Stamps = Vec<Option<(SystemTime, u64)>>;

/// What follows the files from time to time.
struct Following {
    /// As they were when they were last used.
    known: Stamps,
    /// Why they are not used as they are now, as it was told last.
    fault: String,
    /// When the own certificate was renewed, and when it is next.
    renewed: SystemTime,
    renewal: SystemTime,
    /// Not before this is the root looked at again.
    rotation: Instant,
    /// When a root that nobody replaces is spoken of.
    warning: Instant,
}

impl Source {
    pub(crate) fn new(
        options: &Options,
        lifetimes: Lifetimes,
        own: SpiffeId,
        kubernetes: Option<&Arc<Kubernetes>>,
    ) -> Self {
        let files = Files {
            ca: options.ca.clone(),
            issuer_certificate: options.issuer_certificate.clone(),
            issuer_key: options.issuer_key.clone(),
        };
        let cluster = kubernetes.filter(|_| options.is_in_cluster).map(|kubernetes| Cluster {
            bundle: TrustBundle::new(Arc::clone(kubernetes), options),
            lifetimes,
            own: own.clone(),
            jwt: options.jwt.clone(),
        });
        Self { rotation: Rotation { files, sentry: own, lifetimes }, jwt: options.jwt.clone(), cluster }
    }

    /// Reads all credentials; makes them when there are none.
    pub(crate) async fn load(&self, metrics: &Metrics) -> Result<Signers, Error> {
        let (signers, steps) = match &self.cluster {
            Some(cluster) => {
                let (credentials, tokens, steps) = cluster.load().await?;
                (self.signers(&credentials, tokens, metrics)?, steps)
            }
            None => {
                let (credentials, steps) = self.rotation.load(SystemTime::now())?;
                if self.rotation.files.is_key_exposed() {
                    let key = self.rotation.files.issuer_key.display();
                    tracing::warn!(target: SCOPE, "everybody on this machine can read {key}; let its owner alone read it");
                }
                (self.signers(&credentials, self.make_tokens()?, metrics)?, steps)
            }
        };
        tell(&steps, metrics);
        if steps.contains(&Step::Made) {
            metrics.issuer_changed();
        }
        Ok(signers)
    }

    /// The keys of tokens, made when there are none. Another sentry on the same files may be about to do that.
    fn make_tokens(&self) -> Result<Option<Tokens>, Error> {
        if let Ok(present) = self.tokens() {
            return Ok(present);
        }
        let _lock = self.rotation.files.lock(PATIENCE)?;
        let skew = self.rotation.lifetimes.skew;
        self.jwt.as_ref().map(|options| Tokens::load(options, skew)).transpose()
    }

    fn tokens(&self) -> Result<Option<Tokens>, Error> {
        let skew = self.rotation.lifetimes.skew;
        self.jwt.as_ref().map(|options| Tokens::present(options, skew)).transpose()
    }

    fn signers(&self, credentials: &Credentials, tokens: Option<Tokens>, metrics: &Metrics) -> Result<Signers, Error> {
        let authority = Authority::new(credentials, self.rotation.lifetimes).map_err(|error| self.named(error))?;
        authority.own(&self.rotation.sentry)?;
        let root_expires = credentials.signing_root()?.expires;
        metrics.issuer_expires(authority.expires());
        metrics.root_expires(root_expires);
        Ok(Signers { authority, tokens, root_expires })
    }

    /// With the file that it is about, where there are files.
    fn named(&self, error: credentials::Error) -> credentials::Error {
        if self.cluster.is_some() { error } else { self.rotation.files.named(error) }
    }

    /// Takes changed files, replaces the root when its time has come, and renews the own certificate.
    pub(crate) async fn follow(
        self,
        signers: Arc<ArcSwap<Signers>>,
        identity: Identity,
        metrics: Arc<Metrics>,
        fitness: Arc<Fitness>,
    ) {
        let now = Instant::now();
        let (renewed, renewal) = (SystemTime::now(), half_life(&identity));
        let mut following =
            Following { known: self.stamps(), fault: String::new(), renewed, renewal, rotation: now, warning: now };
        let pause = self.pause().min(LOOK);
        loop {
            self.rotate(&mut following, &metrics);
            self.look(&mut following, &signers, &identity, &metrics).await;
            fitness.issuer_has_ended(signers.load().authority.ends() <= SystemTime::now());
            metrics.root_expires(signers.load().root_expires);
            self.warn(&mut following, signers.load().root_expires);
            sleep(following.until_renewal().min(pause)).await;
        }
    }

    /// Between two looks at what is to become of the root.
    fn pause(&self) -> Duration {
        (self.rotation.lifetimes.root / 100).clamp(QUICK_LOOK, RETRY)
    }

    fn rotate(&self, following: &mut Following, metrics: &Metrics) {
        if self.cluster.is_some() || Instant::now() < following.rotation {
            return;
        }
        match self.rotation.advance(SystemTime::now()) {
            Ok(steps) => {
                tell(&steps, metrics);
                following.rotation = Instant::now() + self.pause();
            }
            Err(error @ credentials::Error::Locked(_)) => {
                tracing::warn!(target: SCOPE, "cannot look after the root just now: {error}");
                following.rotation = Instant::now() + self.pause();
            }
            Err(error) => {
                tracing::error!(target: SCOPE, "cannot look after the root; trying again in a minute: {error}");
                following.rotation = Instant::now() + RETRY;
            }
        }
    }

    async fn look(
        &self,
        following: &mut Following,
        signers: &ArcSwap<Signers>,
        identity: &Identity,
        metrics: &Metrics,
    ) {
        let now = self.stamps();
        if now != following.known {
            match self.reload(signers, identity, metrics).await {
                Ok(()) => following.took(now, identity),
                Err(error) => following.complain(&error),
            }
        }
        let now = SystemTime::now();
        // When the clock was set back it may not be valid yet.
        if now >= following.renewal || now < following.renewed {
            match self.renew(signers, identity, metrics) {
                Ok(()) => following.renewed(identity),
                Err(error) => following.complain(&error),
            }
        }
    }

    fn warn(&self, following: &mut Following, root_expires: SystemTime) {
        let now = Instant::now();
        if now < following.warning {
            return;
        }
        following.warning = now + DAY;
        let left = root_expires.duration_since(SystemTime::now()).unwrap_or_default();
        if left < NOTICE && self.is_kept_by_others() {
            let days = left.as_secs() / DAY.as_secs();
            tracing::warn!(
                target: SCOPE,
                "the root ends in {days} days and is not replaced by itself, as it was not made here; see `dapr mtls renew-certificate`"
            );
        }
    }

    /// What cannot be used yet is looked at again, for it may become usable without a trace in its files: by other permissions, or an
    /// API that answers again.
    async fn reload(&self, signers: &ArcSwap<Signers>, identity: &Identity, metrics: &Metrics) -> Result<(), Error> {
        let (trust, loaded) = self.reread(metrics).await?;
        let has_changed = !loaded.authority.is_same_as(&signers.load().authority);
        signers.store(Arc::new(loaded));
        identity.trust(trust);
        self.renew(signers, identity, metrics)?;
        if has_changed {
            metrics.issuer_changed();
        }
        tracing::info!(target: SCOPE, "the credentials were written anew; they are in use as they are now");
        Ok(())
    }

    /// Whether nobody replaces the root unasked.
    fn is_kept_by_others(&self) -> bool {
        self.cluster.is_some() || matches!(self.rotation.is_automatic(), Ok(false))
    }

    /// While sentry runs nothing is made: files that are being replaced may be away for a moment.
    async fn reread(&self, metrics: &Metrics) -> Result<(Trust, Signers), Error> {
        let (credentials, tokens) = match &self.cluster {
            Some(cluster) => cluster.present().await?,
            None => (self.rotation.present()?, self.tokens()?),
        };
        let signers = self.signers(&credentials, tokens, metrics)?;
        Ok((signers.authority.trust()?, signers))
    }

    fn renew(&self, signers: &ArcSwap<Signers>, identity: &Identity, metrics: &Metrics) -> Result<(), Error> {
        let own = signers.load().authority.own(&self.rotation.sentry).inspect_err(|_| metrics.own_failed())?;
        identity.renew(own);
        Ok(())
    }

    /// What tells that a file has changed: when it was written, and its length.
    fn stamps(&self) -> Stamps {
        let files = &self.rotation.files;
        let jwt = self.jwt.iter().flat_map(|jwt| [&jwt.key, &jwt.key_set]);
        let all = [&files.ca, &files.issuer_certificate, &files.issuer_key].into_iter().chain(jwt);
        let stamp = |path: &PathBuf| std::fs::metadata(path).and_then(|file| Ok((file.modified()?, file.len()))).ok();
        all.map(stamp).collect()
    }
}

impl Following {
    fn took(&mut self, stamps: Stamps, identity: &Identity) {
        (self.known, self.fault) = (stamps, String::new());
        self.renewed(identity);
    }

    fn renewed(&mut self, identity: &Identity) {
        (self.renewed, self.renewal) = (SystemTime::now(), half_life(identity));
    }

    /// Certificates may live for less than a look lasts.
    fn until_renewal(&self) -> Duration {
        self.renewal.duration_since(SystemTime::now()).unwrap_or_default().max(REST)
    }

    /// Each fault is told once.
    fn complain(&mut self, error: &Error) {
        let fault = error.to_string();
        if fault != self.fault {
            tracing::error!(target: SCOPE, "the credentials cannot be used: {fault}");
            self.fault = fault;
        }
    }
}

fn tell(steps: &[Step], metrics: &Metrics) {
    for step in steps {
        metrics.rotated(*step);
        let text = match step {
            Step::Made => "Root and issuer certs not found: generating self signed CA",
            Step::Announced => "a new root is trusted from now on; it signs when everybody knows it",
            Step::Switched => "the new root signs from now on",
            Step::Dropped => "the last root is trusted no more: nothing that it vouched for is left",
        };
        tracing::info!(target: SCOPE, "{text}");
    }
}

fn half_life(identity: &Identity) -> SystemTime {
    let now = SystemTime::now();
    now + identity.own().expires().duration_since(now).unwrap_or_default() / 2
}

#[cfg(test)]
mod tests;
