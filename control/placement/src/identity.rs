//! The identity of this process, when sidecars must have theirs (protocols.md 1.4, 5.5).
use foundation_identity::SpiffeId;
use tonic::Status;
use wire::placement::v1::Host;

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
