//! The scheduler of this sidecar: where it is, and who gets what is due.
use crate::options::Options;
use anyhow::Context;
use async_trait::async_trait;
use foundation_app::Channel;
use foundation_identity::{Identity, SpiffeId, TrustDomain};
use foundation_peer::{ControlService, Own};
use foundation_scheduler::{Client, Deliver, Outcome};
use std::sync::Arc;
use wire::scheduler::v1::WatchJobsResponse;
use wire::scheduler::v1::job_target_metadata::Type;

const SCHEDULER: &str = "dapr-scheduler";

/// A client of the scheduler; none without an address.
///
/// # Errors
/// A trust domain of the control plane that is none.
pub(crate) fn client(options: &Options, identity: Option<&Identity>, own: &Own) -> anyhow::Result<Option<Arc<Client>>> {
    if options.scheduler.addresses.is_empty() {
        tracing::warn!(target: "dapr.runtime.scheduler", "No scheduler host addresses provided. Scheduler disabled: no jobs and no reminders without --scheduler-host-address");
        return Ok(None);
    }
    let service = service(options, identity, SCHEDULER, options.scheduler.addresses.clone())?;
    let (app_id, namespace) = (own.app_id.clone(), own.namespace.clone());
    let options = foundation_scheduler::Options { service, streams: options.scheduler.streams, app_id, namespace };
    Ok(Some(Arc::new(Client::new(options))))
}

/// A service of the control plane at some addresses.
///
/// # Errors
/// A trust domain of the control plane that is none.
pub(crate) fn service(
    options: &Options,
    identity: Option<&Identity>,
    name: &str,
    addresses: Vec<String>,
) -> anyhow::Result<ControlService> {
    let mtls = options.mtls.as_ref().zip(identity);
    let identity = mtls.map(|(mtls, identity)| {
        let domain = TrustDomain::new(&mtls.trust_domain).context("invalid control plane trust domain")?;
        anyhow::Ok((identity.clone(), SpiffeId::new(domain, &mtls.namespace, name)?))
    });
    Ok(ControlService { addresses, identity: identity.transpose()? })
}

/// Hands what is due to who it is for.
pub(crate) struct Receivers {
    pub(crate) jobs: block_job::Delivery,
    /// None without actors.
    pub(crate) reminders: Option<Arc<dyn Deliver>>,
}

#[async_trait]
impl Deliver for Receivers {
    async fn deliver(&self, job: WatchJobsResponse) -> Outcome {
        let target = job.metadata.as_ref().and_then(|metadata| metadata.target.as_ref()?.r#type.as_ref());
        match (target, &self.reminders) {
            (Some(Type::Job(_)), _) => self.jobs.deliver(job).await,
            (Some(Type::Actor(_)), Some(reminders)) => reminders.deliver(job).await,
            _ => Outcome::Failed,
        }
    }
}

/// Takes jobs of the app as long as it is healthy.
pub(crate) async fn follow_health(scheduler: &Client, app: &Arc<dyn Channel>) {
    let mut health = app.health().watch();
    loop {
        let healthy = *health.borrow_and_update();
        scheduler.want(|wanted| wanted.jobs = healthy);
        if health.changed().await.is_err() {
            return;
        }
    }
}
