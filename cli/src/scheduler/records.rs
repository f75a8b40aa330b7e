//! The records of the scheduler, wherever its etcd is.
use super::key::{COUNTERS, JOBS};
use crate::context::Context;
use crate::running;
use bytes::Bytes;
use foundation_etcd::{Client, Error, Pair, Pairs, Remote, RemoteSettings, prefix_end};
use wire::etcd::etcdserverpb::request_op::Request;
use wire::etcd::etcdserverpb::response_op::Response;
use wire::etcd::etcdserverpb::{DeleteRangeRequest, PutRequest, RangeRequest, RangeResponse, RequestOp, TxnRequest};

/// Where Dapr's scheduler of this machine serves etcd's API.
const USUAL: &str = "localhost:2379";

/// Where the records are: as told, else with the scheduler that `dapr run` uses.
pub(crate) async fn etcd(given: &[String], context: &Context) -> Vec<String> {
    if !given.is_empty() {
        return given.to_vec();
    }
    let own = if running::scheduler_is_there(context) { None } else { running::running(context).await };
    vec![own.map_or_else(|| USUAL.to_owned(), |ports| format!("127.0.0.1:{}", ports.etcd))]
}

/// Reads and writes the records.
pub(crate) struct Records {
    client: Client,
    endpoints: String,
}

impl Records {
    /// Connects when the first call needs it.
    ///
    /// # Errors
    /// An endpoint that is none.
    pub(crate) fn at(endpoints: Vec<String>) -> anyhow::Result<Self> {
        let told = endpoints.join(", ");
        let settings = RemoteSettings { endpoints, username: String::new(), password: String::new() };
        Ok(Self { client: Client::Remote(Remote::new(settings)?), endpoints: told })
    }

    /// All jobs whose names start so, each with its counter.
    pub(crate) fn jobs(&self, prefix: &str) -> Jobs<'_> {
        Jobs { pairs: Pairs::new(self.client.clone(), [JOBS, COUNTERS], prefix), records: self }
    }

    /// A job and its counter.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub(crate) async fn get(&self, name: &str) -> anyhow::Result<Option<(Bytes, Option<Bytes>)>> {
        let read = |key: String| Request::RequestRange(RangeRequest { key: key.into(), ..RangeRequest::default() });
        let answers = self.txn(vec![read(format!("{JOBS}{name}")), read(format!("{COUNTERS}{name}"))]).await?;
        let mut found = answers.into_iter().map(|answer| Some(ranged(answer)?.kvs.pop()?.value));
        let (job, counter) = (found.next().flatten(), found.next().flatten());
        Ok(job.map(|job| (job, counter)))
    }

    /// Deletes a job and its counter. Returns whether it was there.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub(crate) async fn delete(&self, name: &str) -> anyhow::Result<bool> {
        let keys = [format!("{JOBS}{name}"), format!("{COUNTERS}{name}")];
        let answers = self.txn(keys.map(|key| delete(key.into(), Bytes::new())).into()).await?;
        Ok(matches!(answers.first(), Some(Response::ResponseDeleteRange(deleted)) if deleted.deleted > 0))
    }

    /// Deletes all jobs whose names start so, with their counters. Returns the names of the jobs.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub(crate) async fn delete_all(&self, prefixes: &[String]) -> anyhow::Result<Vec<String>> {
        let range = |start: &str, prefix: &String| {
            let key = Bytes::from(format!("{start}{prefix}"));
            (key.clone(), prefix_end(&key))
        };
        // The records may be large, and their keys tell enough.
        let told = prefixes.iter().map(|prefix| keys(range(JOBS, prefix)));
        let deleted =
            [JOBS, COUNTERS].into_iter().flat_map(|start| prefixes.iter().map(move |prefix| range(start, prefix)));
        let deleted = deleted.map(|(key, range_end)| delete(key, range_end));
        let answers = self.txn(told.chain(deleted).collect()).await?;
        let found = answers.into_iter().filter_map(ranged).flat_map(|range| range.kvs);
        Ok(found.map(|kv| name(&kv.key)).collect())
    }

    /// Writes jobs and counters, all of them or none. Returns how many jobs were there already.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub(crate) async fn put(&self, records: &[(&String, &Vec<u8>)]) -> anyhow::Result<i64> {
        let jobs = records.iter().filter(|(key, _)| key.starts_with(JOBS));
        let there = jobs.map(|(key, _)| keys((Bytes::from((*key).clone()), Bytes::new())));
        let put = records.iter().map(|(key, value)| {
            let (key, value) = ((*key).clone().into(), (*value).clone().into());
            Request::RequestPut(PutRequest { key, value, ..PutRequest::default() })
        });
        let answers = self.txn(there.chain(put).collect()).await?;
        Ok(answers.into_iter().filter_map(ranged).map(|range| range.count).sum())
    }

    async fn txn(&self, requests: Vec<Request>) -> anyhow::Result<Vec<Response>> {
        let success = requests.into_iter().map(|request| RequestOp { request: Some(request) }).collect();
        let done = self.client.txn(TxnRequest { success, ..TxnRequest::default() }).await;
        let done = done.map_err(|error| self.failed(error))?;
        Ok(done.responses.into_iter().filter_map(|answer| answer.response).collect())
    }

    fn failed(&self, error: Error) -> anyhow::Error {
        let at = format!("cannot use the scheduler's etcd API at {}", self.endpoints);
        let is_unreachable = error.is_temporary();
        let advice = if is_unreachable { "; check that a scheduler runs, or --etcd-client-endpoints" } else { "" };
        anyhow::Error::new(error).context(at + advice)
    }
}

/// Jobs that are read as they are wanted.
pub(crate) struct Jobs<'a> {
    pairs: Pairs,
    records: &'a Records,
}

impl Jobs<'_> {
    /// The next job, and its counter.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Pair>> {
        self.pairs.next().await.map_err(|error| self.records.failed(error))
    }
}

fn keys((key, range_end): (Bytes, Bytes)) -> Request {
    Request::RequestRange(RangeRequest { key, range_end, keys_only: true, ..RangeRequest::default() })
}

fn delete(key: Bytes, range_end: Bytes) -> Request {
    Request::RequestDeleteRange(DeleteRangeRequest { key, range_end, prev_kv: false })
}

fn ranged(answer: Response) -> Option<RangeResponse> {
    match answer {
        Response::ResponseRange(range) => Some(range),
        _ => None,
    }
}

/// The stored name of a job from its key.
fn name(key: &[u8]) -> String {
    let key = String::from_utf8_lossy(key);
    key.strip_prefix(JOBS).unwrap_or(&key).to_owned()
}
