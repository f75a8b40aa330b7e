//! Which jobs a sidecar takes.
use wire::scheduler::v1::watch_jobs_request::WatchJobRequestType;
use wire::scheduler::v1::{JobTargetType, WatchJobsRequest, WatchJobsRequestInitial};

/// Which jobs this sidecar takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Those of the app itself.
    pub jobs: bool,
    /// Reminders of the actors of these types.
    pub actor_types: Vec<String>,
}

impl Wanted {
    pub(crate) fn is_empty(&self) -> bool {
        !self.jobs && self.actor_types.is_empty()
    }

    /// The first message of a stream.
    pub(crate) fn request(&self, app_id: &str, namespace: &str) -> WatchJobsRequest {
        let kinds = [(self.jobs, JobTargetType::Job), (!self.actor_types.is_empty(), JobTargetType::ActorReminder)];
        let accepted = kinds.into_iter().filter(|(is_wanted, _)| *is_wanted).map(|(_, kind)| kind.into());
        let initial = WatchJobsRequestInitial {
            app_id: app_id.to_owned(),
            namespace: namespace.to_owned(),
            actor_types: self.actor_types.clone(),
            accept_job_types: accepted.collect(),
            concurrency_limits: Vec::new(),
        };
        WatchJobsRequest { watch_job_request_type: Some(WatchJobRequestType::Initial(initial)) }
    }
}
