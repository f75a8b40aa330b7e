//! Reading all jobs and how far they are.
use super::{Engine, SCOPE};
use foundation_etcd::{Error, Pair, Watching};
use prost::Message;
use wire::etcd::cron::Counter;

impl Engine {
    /// Fills the agenda. Returns what is changed from the first page on: jobs on later ones are as they were later, and the store keeps what a
    /// watch has not seen, so that many jobs can be read while others are written.
    pub(super) async fn load(&mut self) -> Result<Watching, Error> {
        let keyspace = self.parts.keyspace.clone();
        let mut jobs = keyspace.counted_jobs("");
        let mut next = jobs.next().await?;
        let watching = keyspace.watch_jobs(jobs.revision() + 1).await?;
        while let Some(Pair { name, record, other }) = next {
            let counter = other.map(|kv| decode(&name, &kv.value));
            self.add(&name, &record, counter.as_ref());
            next = jobs.next().await?;
        }
        Ok(watching)
    }
}

fn decode(name: &str, value: &[u8]) -> Counter {
    Counter::decode(value).unwrap_or_else(|error| {
        tracing::error!(target: SCOPE, "the job {name} begins anew, its counter cannot be read: {error}");
        Counter::default()
    })
}
