//! Who takes triggers.
use wire::scheduler::v1::job_target_metadata::Type;
use wire::scheduler::v1::{JobMetadata, JobTargetType, WatchJobsRequestInitial};

/// Who takes a trigger.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Recipient {
    /// Namespace and app.
    App(String, String),
    /// Namespace and actor type.
    Type(String, String),
}

impl Recipient {
    pub(crate) fn of(metadata: &JobMetadata) -> Option<Self> {
        let namespace = metadata.namespace.clone();
        match metadata.target.as_ref()?.r#type.as_ref()? {
            Type::Job(_) => Some(Self::App(namespace, metadata.app_id.clone())),
            Type::Actor(actor) => Some(Self::Type(namespace, actor.r#type.clone())),
        }
    }
}

/// An empty list accepts all.
pub(super) fn accepts(initial: &WatchJobsRequestInitial, wanted: JobTargetType) -> bool {
    initial.accept_job_types.is_empty() || initial.accept_job_types().any(|accepted| accepted == wanted)
}
