//! Reading all jobs and how far they are, as they were at one moment.
use super::{Engine, SCOPE};
use crate::keyspace::CountedJob;
use foundation_etcd::Error;
use prost::Message;
use wire::etcd::cron::Counter;

impl Engine {
    /// Fills the agenda; returns the revision that was read.
    pub(super) async fn load(&mut self) -> Result<i64, Error> {
        let mut jobs = self.parts.keyspace.counted_jobs("");
        while let Some(CountedJob { name, job, counter }) = jobs.next().await? {
            let counter = counter.map(|kv| decode(&name, &kv.value));
            self.add(&name, &job, counter.as_ref());
        }
        Ok(jobs.revision())
    }
}

fn decode(name: &str, value: &[u8]) -> Counter {
    Counter::decode(value).unwrap_or_else(|error| {
        tracing::error!(target: SCOPE, "the job {name} begins anew, its counter cannot be read: {error}");
        Counter::default()
    })
}
