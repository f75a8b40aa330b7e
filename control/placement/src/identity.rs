//! The identity of this process, when sidecars must have theirs (protocols.md 1.4, 5.5).
use crate::options::Mtls;
use foundation_drain::Drain;
use foundation_identity::{Anchors, Error, Identity, PeerId, Sentry, SpiffeId, TrustDomain};
use tonic::{Request, Status};
use wire::placement::v1::Host;

const SENTRY: &str = "dapr-sentry";
const APP_ID: &str = "dapr-placement";

/// Gets an identity from sentry, however long that takes, and keeps it fresh.
///
/// # Errors
/// A trust domain that is none, and trust anchors that cannot be read.
pub(crate) async fn start(mtls: &Mtls, drain: &Drain) -> Result<Identity, Error> {
    let domain = TrustDomain::new(&mtls.trust_domain)?;
    let sentry = Sentry {
        address: mtls.sentry_address.clone(),
        id: SpiffeId::new(domain, &mtls.namespace, SENTRY)?,
        namespace: mtls.namespace.clone(),
        app_id: APP_ID.to_owned(),
        trust_domain: Some(mtls.trust_domain.clone()),
        token: None,
    };
    foundation_identity::start(sentry, Anchors::File(mtls.anchors.clone()), drain).await
}

/// Who reports on a stream, if its connection has proven it.
pub(crate) fn peer<T>(request: &Request<T>) -> Option<SpiffeId> {
    let peer: &Option<PeerId> = request.extensions().get()?;
    peer.as_ref().map(|peer| peer.0.clone())
}

/// A sidecar reports for its own app alone.
///
/// # Errors
/// The status of a report for another one.
pub(crate) fn authorize(peer: Option<&SpiffeId>, host: &Host) -> Result<(), Status> {
    let Some(peer) = peer else { return Ok(()) };
    let differs = |what: &str, said: &str, proven: &str| {
        Status::permission_denied(format!("provided {what} {said} doesn't match the one in the SPIFFE ID ({proven})"))
    };
    if host.id != peer.app_id() {
        return Err(differs("app ID", &host.id, peer.app_id()));
    }
    if host.namespace != peer.namespace() {
        return Err(differs("client namespace", &host.namespace, peer.namespace()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sidecar_reports_for_its_own_app_alone() {
        let peer: SpiffeId = "spiffe://public/ns/default/app".parse().unwrap();
        let host = |namespace: &str, id: &str| Host { namespace: namespace.into(), id: id.into(), ..Host::default() };
        assert!(authorize(Some(&peer), &host("default", "app")).is_ok());
        assert!(authorize(Some(&peer), &host("default", "other")).is_err());
        assert!(authorize(Some(&peer), &host("other", "app")).is_err());
        assert!(authorize(None, &host("other", "app")).is_ok());
    }
}
