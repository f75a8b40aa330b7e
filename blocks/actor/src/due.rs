//! Reminders that are due, on their way to their actors.
use crate::app;
use crate::error::{Error, Failure};
use crate::model::ActorKey;
use crate::router::{Hop, Router};
use crate::tick::{Kind, Tick};
use async_trait::async_trait;
use foundation_scheduler::{Deliver, Outcome};
use foundation_telemetry::Metrics;
use std::sync::Arc;
use wire::scheduler::v1::WatchJobsResponse;
use wire::scheduler::v1::job_target_metadata::Type;

const SCOPE: &str = "dapr.runtime.scheduler";

/// Brings reminders that are due to their actors, wherever those are.
pub(crate) struct Due {
    pub(crate) router: Arc<Router>,
    pub(crate) metrics: Metrics,
}

#[async_trait]
impl Deliver for Due {
    /// A reminder that its actor wants no more counts as done: Dapr 1.18 does not delete it either.
    async fn deliver(&self, job: WatchJobsResponse) -> Outcome {
        let Some(tick) = tick(job) else { return Outcome::Failed };
        let told = self.router.tick(&tick, Hop::First).await;
        self.metrics.actor_reminder_fired(&tick.actor.actor_type, told.is_ok());
        match told {
            Ok(()) => Outcome::Success,
            Err(error) if is_canceled(&error) => Outcome::Success,
            Err(error) => {
                let (name, actor) = (&tick.name, &tick.actor);
                tracing::error!(target: SCOPE, "failed to invoke scheduled actor reminder named: {name} of {actor} due to: {error}");
                Outcome::Failed
            }
        }
    }
}

fn tick(job: WatchJobsResponse) -> Option<Tick> {
    let Type::Actor(target) = job.metadata?.target?.r#type? else { return None };
    Some(Tick {
        kind: Kind::Reminder,
        actor: ActorKey::new(target.r#type, target.id),
        name: job.name,
        due_time: String::new(),
        period: String::new(),
        callback: String::new(),
        data: job.data,
    })
}

/// Other sidecars tell it by its text.
fn is_canceled(error: &Error) -> bool {
    let canceled = app::Failure::Cancelled.to_string();
    match error {
        Error::Invoke(Failure::Status(status)) => status.message() == canceled,
        Error::Invoke(failure) => failure.to_string() == canceled,
        _ => false,
    }
}
