//! Which reports are taken (protocols.md 1.4).
use tonic::{Code, Status};
use wire::placement::v1::{Host, HostOperation};

/// Actor types of the runtime itself; their names tell who may host them.
const INTERNAL: &str = "dapr.internal.";

/// Far more types than an app has; each is in the tables of every sidecar of the namespace.
const MOST_TYPES: usize = 4096;
/// Bytes of a name. Kubernetes' have at most 253.
const LONGEST_NAME: usize = 512;

/// Why a report is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("both operation and version must be set or both must be unset")]
    VersionAlone,
    #[error("host ID and namespace must be provided")]
    Anonymous,
    #[error("a host of {0} actor types is refused, at most {MOST_TYPES} are taken")]
    TooManyTypes(usize),
    #[error("{what} of {length} bytes is refused, at most {LONGEST_NAME} are taken")]
    TooLong { what: &'static str, length: usize },
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
    check_size(host)?;
    match host.entities.iter().find(|entity| !is_allowed(entity, host)) {
        None => Ok(()),
        Some(entity) => Err(Refusal::ForeignType {
            entity: entity.clone(),
            app_id: host.id.clone(),
            namespace: host.namespace.clone(),
        }),
    }
}

/// What one host says goes to all others, and into metrics and logs.
fn check_size(host: &Host) -> Result<(), Refusal> {
    if host.entities.len() > MOST_TYPES {
        return Err(Refusal::TooManyTypes(host.entities.len()));
    }
    let types = host.entities.iter().map(|entity| ("an actor type", entity));
    let names =
        [("an app ID", &host.id), ("a namespace", &host.namespace), ("a name", &host.name), ("a pod", &host.pod)];
    match names.into_iter().chain(types).find(|(_, name)| name.len() > LONGEST_NAME) {
        None => Ok(()),
        Some((what, name)) => Err(Refusal::TooLong { what, length: name.len() }),
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
            Refusal::TooManyTypes(_) | Refusal::TooLong { .. } => Code::ResourceExhausted,
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

    #[test]
    fn reports_have_bounds() {
        let long = || "x".repeat(LONGEST_NAME);
        let types = |count: usize| Host { entities: vec![long(); count], ..host("counter") };
        let longest = Host { id: long(), namespace: long(), name: long(), pod: long(), ..types(MOST_TYPES) };
        assert_eq!(check(&longest), Ok(()));
        assert_eq!(check(&types(MOST_TYPES + 1)), Err(Refusal::TooManyTypes(MOST_TYPES + 1)));
        let longer = || long() + "x";
        let refused = [
            Host { id: longer(), ..host("counter") },
            Host { namespace: longer(), ..host("counter") },
            Host { name: longer(), ..host("counter") },
            Host { pod: longer(), ..host("counter") },
            host(&longer()),
            host(&format!("{INTERNAL}{}", long())),
        ];
        for host in refused {
            let refusal = check(&host).unwrap_err();
            assert!(matches!(refusal, Refusal::TooLong { .. }), "{refusal}");
            assert_eq!(Status::from(refusal).code(), Code::ResourceExhausted);
        }
    }
}
