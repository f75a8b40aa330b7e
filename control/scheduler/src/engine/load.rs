//! Reading all jobs and how far they are, as they were at one moment.
use super::{Engine, SCOPE};
use foundation_etcd::Error;
use prost::Message;
use wire::etcd::cron::Counter;

impl Engine {
    /// Fills the agenda; returns the revision that was read.
    pub(super) async fn load(&mut self) -> Result<i64, Error> {
        let mut jobs = self.parts.keyspace.jobs("");
        let Some(mut job) = jobs.next().await? else { return Ok(jobs.revision()) };
        let mut counters = self.parts.keyspace.counters("", jobs.revision());
        let mut counter = counters.next().await?;
        loop {
            // Both come in the order of names.
            while counter.as_ref().is_some_and(|(name, _)| *name < job.0) {
                counter = counters.next().await?;
            }
            let own = counter.as_ref().filter(|(name, _)| *name == job.0);
            let own = own.map(|(name, kv)| decode(name, &kv.value));
            self.add(&job.0, &job.1, own.as_ref());
            match jobs.next().await? {
                Some(next) => job = next,
                None => return Ok(jobs.revision()),
            }
        }
    }
}

fn decode(name: &str, value: &[u8]) -> Counter {
    Counter::decode(value).unwrap_or_else(|error| {
        tracing::error!(target: SCOPE, "the job {name} begins anew, its counter cannot be read: {error}");
        Counter::default()
    })
}
