//! Which reports are taken (protocols.md 1.4).
use tonic::{Code, Status};
use wire::placement::v1::{Host, HostOperation};

/// Actor types of the runtime itself; their names tell who may host them.
const INTERNAL: &str = "dapr.internal.";

/// Why a report is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("both operation and version must be set or both must be unset")]
    VersionAlone,
    #[error("host ID and namespace must be provided")]
    Anonymous,
    #[error("entity {entity} is not allowed for app ID {app_id} in namespace {namespace}")]
    ForeignType { entity: String, app_id: String, namespace: String },
}

/// Checks what a host says of itself.
///
/// # Errors
/// [`Refusal`].
pub fn check(host: &Host) -> Result<(), Refusal> {
    if host.operation() == HostOperation::Unknown && host.version.is_some() {
        return Err(Refusal::VersionAlone);
    }
    if host.id.is_empty() || host.namespace.is_empty() {
        return Err(Refusal::Anonymous);
    }
    match host.entities.iter().find(|entity| !is_allowed(entity, host)) {
        None => Ok(()),
        Some(entity) => Err(Refusal::ForeignType {
            entity: entity.clone(),
            app_id: host.id.clone(),
            namespace: host.namespace.clone(),
        }),
    }
}

fn is_allowed(entity: &str, host: &Host) -> bool {
    let Some(rest) = entity.strip_prefix(INTERNAL) else { return entity != "dapr.internal" };
    let mut parts = rest.split('.');
    parts.next() == Some(&host.namespace) && parts.next() == Some(&host.id)
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::VersionAlone | Refusal::Anonymous => Code::InvalidArgument,
            Refusal::ForeignType { .. } => Code::PermissionDenied,
        };
        Self::new(code, refusal.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(entity: &str) -> Host {
        let (id, namespace, entities) = ("app".to_owned(), "ns".to_owned(), vec![entity.to_owned()]);
        Host { id, namespace, entities, ..Host::default() }
    }

    #[test]
    fn internal_types_belong_to_their_app() {
        for allowed in ["counter", "dapr.internal.ns.app.workflow", "dapr.internals.x"] {
            assert_eq!(check(&host(allowed)), Ok(()), "{allowed}");
        }
        for refused in ["dapr.internal", "dapr.internal.ns", "dapr.internal.ns.other.workflow", "dapr.internal.x.app.y"]
        {
            let text = format!("entity {refused} is not allowed for app ID app in namespace ns");
            assert_eq!(check(&host(refused)).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn a_host_says_who_it_is() {
        assert_eq!(check(&Host::default()), Err(Refusal::Anonymous));
        assert_eq!(check(&Host { version: Some(1), ..host("counter") }), Err(Refusal::VersionAlone));
    }
}
