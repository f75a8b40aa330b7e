//! The identity of a process whose clients must have theirs (protocols.md 5.5).
use crate::signed;
use foundation_credentials::Files;
use foundation_drain::Drain;
use foundation_flags::Flags;
use foundation_identity::{Anchors, Error, Identity, InvalidSpiffeId, PeerId, Sentry, SpiffeId, TrustDomain};
use std::path::PathBuf;
use std::sync::Arc;
use tonic::Request;

const SENTRY: &str = "dapr-sentry";

/// Where the identity of a process comes from.
#[derive(Clone, Debug)]
pub struct Mtls {
    pub trust_domain: String,
    pub anchors: PathBuf,
    pub sentry_address: String,
    /// Of the control plane.
    pub namespace: String,
    /// File of the token that sentry is shown, where it asks for one.
    pub token: Option<PathBuf>,
    /// Folder of the credentials of the authority, if they are at hand: then no sentry is asked.
    pub credentials: Option<PathBuf>,
    /// Folder of copies of the identity that sentry gives, for other programs.
    pub copies: Option<PathBuf>,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum NoIdentity {
    #[error(transparent)]
    Sentry(#[from] Error),
    #[error(transparent)]
    Id(#[from] InvalidSpiffeId),
    #[error(transparent)]
    Credentials(#[from] foundation_credentials::Error),
}

impl Mtls {
    /// As the flags `--trust-domain`, `--trust-anchors-file` and `--sentry-address` say.
    pub fn read(flags: &Flags, namespace: &str) -> Self {
        Self {
            trust_domain: flags.text("trust-domain").to_owned(),
            anchors: flags.text("trust-anchors-file").into(),
            sentry_address: flags.text("sentry-address").to_owned(),
            namespace: namespace.to_owned(),
            credentials: None,
            copies: None,
            token: None,
        }
    }

    /// Gets an identity for `app_id` from sentry, however long that takes, and keeps it fresh.
    ///
    /// # Errors
    /// A trust domain that is none, and trust anchors or credentials that cannot be read.
    pub async fn identity(&self, app_id: &str, drain: &Drain) -> Result<Identity, NoIdentity> {
        let domain = TrustDomain::new(&self.trust_domain)?;
        if let Some(folder) = &self.credentials {
            let id = SpiffeId::new(domain, &self.namespace, app_id)?;
            return Ok(signed::start(Files::of_folder(folder), id, drain)?);
        }
        let sentry = Sentry {
            address: self.sentry_address.clone(),
            id: SpiffeId::new(domain, &self.namespace, SENTRY)?,
            namespace: self.namespace.clone(),
            app_id: app_id.to_owned(),
            trust_domain: Some(self.trust_domain.clone()),
            token: self.token.clone(),
            jwt_audiences: Vec::new(),
            copies: self.copies.clone(),
        };
        Ok(foundation_identity::start(
            sentry,
            Anchors::File(self.anchors.clone()),
            Arc::new(|_: Result<(), &Error>| ()),
            drain,
        )
        .await?)
    }
}

/// Who sends a request, if its connection has proven it.
pub fn peer<T>(request: &Request<T>) -> Option<SpiffeId> {
    let peer: &Option<PeerId> = request.extensions().get()?;
    peer.as_ref().map(|peer| peer.0.clone())
}
