//! `bindings.cron`: events at times of a schedule.
mod events;

use async_trait::async_trait;
use component_api::binding::{Binding, Handle};
use component_api::pubsub::Subscription;
use component_api::{Config, Descriptor, Error, Registry, Result, Status, Task};
use foundation_schedule::Schedule;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// Scope of log lines, as Dapr names it.
const SCOPE: &str = "dapr.contrib";

/// Makes the components of this crate known.
pub fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["cron"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "Events at times of a schedule.",
        schema: || schemars::schema_for!(Settings),
    };
    registry.binding.add(descriptor, async |config: Config| {
        let cron: Arc<dyn Binding> = Arc::new(Cron::new(&config.properties.decode()?)?);
        Ok(cron)
    });
}

/// Metadata of `bindings.cron`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Required. When events come: five or six fields of cron such as `0 30 * * * *` (seconds first), `@daily` and its like, or
    /// `@every 1m30s`. `TZ=Europe/Rome ` in front of fields names a time zone other than that of the machine.
    pub schedule: String,
}

/// Events at times of a schedule. Nothing is made up for while nobody reads, and a slow app does not put events off: it
/// gets several at a time.
#[derive(Debug)]
pub struct Cron {
    schedule: Schedule,
}

impl Cron {
    /// # Errors
    /// A schedule that is missing or none.
    pub fn new(settings: &Settings) -> Result<Self> {
        let text = &settings.schedule;
        if text.is_empty() {
            return Err(Error::invalid("schedule not set"));
        }
        let refusal = |error| Error::invalid(format!("invalid schedule format '{text}': {error}"));
        Ok(Self { schedule: Schedule::parse(text).map_err(refusal)? })
    }
}

#[async_trait]
impl Binding for Cron {
    fn is_input(&self) -> bool {
        true
    }

    async fn read(&self, handle: Arc<dyn Handle>) -> Result<Subscription> {
        let schedule = self.schedule.clone();
        Ok(Subscription::new(Task::spawn(|stopping| events::run(schedule, handle, stopping))))
    }
}
