//! The records of the scheduler, wherever its etcd is.
use super::key::{COUNTERS, JOBS};
use crate::context::Context;
use crate::running;
use anyhow::Context as _;
use bytes::Bytes;
use foundation_etcd::{Client, Pages, Remote, RemoteSettings, prefix_end};
use wire::etcd::etcdserverpb::request_op::Request;
use wire::etcd::etcdserverpb::response_op::Response;
use wire::etcd::etcdserverpb::{DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest};
use wire::etcd::mvccpb::KeyValue;

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

    /// All jobs, and all counters, by key.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub(crate) async fn all(&self) -> anyhow::Result<(Vec<KeyValue>, Vec<KeyValue>)> {
        let (jobs, revision) = self.range(JOBS, 0).await?;
        Ok((jobs, self.range(COUNTERS, revision).await?.0))
    }

    /// A job and its counter.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub(crate) async fn get(&self, name: &str) -> anyhow::Result<Option<(Bytes, Option<Bytes>)>> {
        let read = |key: String| Request::RequestRange(RangeRequest { key: key.into(), ..RangeRequest::default() });
        let answers = self.txn(vec![read(format!("{JOBS}{name}")), read(format!("{COUNTERS}{name}"))]).await?;
        let mut found = answers.into_iter().map(|answer| match answer {
            Response::ResponseRange(range) => range.kvs.into_iter().next().map(|kv| kv.value),
            _ => None,
        });
        let (job, counter) = (found.next().flatten(), found.next().flatten());
        Ok(job.map(|job| (job, counter)))
    }

    /// Deletes a job and its counter. Returns whether it was there.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub(crate) async fn delete(&self, name: &str) -> anyhow::Result<bool> {
        let keys = [format!("{JOBS}{name}"), format!("{COUNTERS}{name}")];
        let answers = self.txn(keys.map(|key| delete(key.into(), Bytes::new(), false)).into()).await?;
        Ok(matches!(answers.first(), Some(Response::ResponseDeleteRange(deleted)) if deleted.deleted > 0))
    }

    /// Deletes all jobs whose names start so, with their counters. Returns the keys of the jobs.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub(crate) async fn delete_all(&self, prefixes: &[String]) -> anyhow::Result<Vec<String>> {
        let range = |start: &str, prefix: &String, told: bool| {
            let key = Bytes::from(format!("{start}{prefix}"));
            delete(key.clone(), prefix_end(&key), told)
        };
        let jobs = prefixes.iter().map(|prefix| range(JOBS, prefix, true));
        let counters = prefixes.iter().map(|prefix| range(COUNTERS, prefix, false));
        let answers = self.txn(jobs.chain(counters).collect()).await?;
        let deleted = answers.into_iter().take(prefixes.len()).filter_map(|answer| match answer {
            Response::ResponseDeleteRange(deleted) => Some(deleted.prev_kvs),
            _ => None,
        });
        Ok(deleted.flatten().map(|kv| String::from_utf8_lossy(&kv.key).into_owned()).collect())
    }

    /// Writes records, all of them or none.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub(crate) async fn put(&self, records: &[(&String, &Vec<u8>)]) -> anyhow::Result<()> {
        let put = |(key, value): &(&String, &Vec<u8>)| {
            Request::RequestPut(PutRequest {
                key: (*key).clone().into(),
                value: (*value).clone().into(),
                ..PutRequest::default()
            })
        };
        self.txn(records.iter().map(put).collect()).await.map(drop)
    }

    /// All records of a prefix as they were at one revision; 0 is the present one, which is returned.
    async fn range(&self, prefix: &str, revision: i64) -> anyhow::Result<(Vec<KeyValue>, i64)> {
        let (mut pages, mut all) = (Pages::new(self.client.clone(), prefix, revision), Vec::new());
        while let Some(kv) = pages.next().await.with_context(|| self.unreachable())? {
            all.push(kv);
        }
        Ok((all, pages.revision()))
    }

    async fn txn(&self, requests: Vec<Request>) -> anyhow::Result<Vec<Response>> {
        let success = requests.into_iter().map(|request| RequestOp { request: Some(request) }).collect();
        let done = self.client.txn(TxnRequest { success, ..TxnRequest::default() }).await;
        let done = done.with_context(|| self.unreachable())?;
        Ok(done.responses.into_iter().filter_map(|answer| answer.response).collect())
    }

    fn unreachable(&self) -> String {
        format!(
            "cannot use the scheduler's etcd API at {}; check that a scheduler runs, or --etcd-client-endpoints",
            self.endpoints
        )
    }
}

fn delete(key: Bytes, range_end: Bytes, prev_kv: bool) -> Request {
    Request::RequestDeleteRange(DeleteRangeRequest { key, range_end, prev_kv })
}
