//! The identity of this process, and whose jobs a sidecar may touch (protocols.md 3.1, 5.5).
use crate::metrics::{Metrics, SidecarError};
use foundation_identity::SpiffeId;
use tonic::Status;

/// Lets sidecars do things for their own app alone.
#[derive(Clone)]
pub(crate) struct Authorization {
    /// Whether sidecars prove who they are.
    pub(crate) is_enabled: bool,
    pub(crate) metrics: Metrics,
}

impl Authorization {
    /// # Errors
    /// A request for nobody, of nobody, or for somebody else.
    pub(crate) fn check(&self, peer: Option<&SpiffeId>, namespace: &str, app_id: &str) -> Result<(), Status> {
        let checked = if namespace.is_empty() || app_id.is_empty() {
            Err(Status::invalid_argument("missing namespace or appID in request"))
        } else if self.is_enabled {
            is_own(peer, namespace, app_id)
        } else {
            Ok(())
        };
        checked.inspect_err(|_| self.metrics.sidecar_error(SidecarError::Authorization))
    }
}

fn is_own(peer: Option<&SpiffeId>, namespace: &str, app_id: &str) -> Result<(), Status> {
    let peer = peer.ok_or_else(|| Status::unauthenticated("failed to get identity from context"))?;
    if peer.namespace() != namespace || peer.app_id() != app_id {
        return Err(Status::permission_denied("identity does not match request"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use foundation_telemetry::Registry;
    use tonic::Code;

    #[test]
    fn a_sidecar_acts_for_its_own_app_alone() {
        let metrics = Metrics::new(&Registry::new().unwrap()).unwrap();
        let peer: SpiffeId = "spiffe://public/ns/default/app".parse().unwrap();
        let check = |is_enabled, peer, namespace, app_id| {
            let authorization = Authorization { is_enabled, metrics: metrics.clone() };
            authorization.check(peer, namespace, app_id).map_err(|status| status.code())
        };
        assert_eq!(check(true, Some(&peer), "default", "app"), Ok(()));
        assert_eq!(check(true, Some(&peer), "default", "other"), Err(Code::PermissionDenied));
        assert_eq!(check(true, Some(&peer), "other", "app"), Err(Code::PermissionDenied));
        assert_eq!(check(true, None, "default", "app"), Err(Code::Unauthenticated));
        assert_eq!(check(false, None, "default", ""), Err(Code::InvalidArgument));
        assert_eq!(check(false, None, "other", "app"), Ok(()));
    }
}
