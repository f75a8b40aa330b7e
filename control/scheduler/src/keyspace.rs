//! Where things lie in etcd, and the requests about them (protocols.md 3.4).
use bytes::Bytes;
use foundation_etcd::{Client, Error, Pairs, Watching, prefix_end};
use prost::Message;
use wire::etcd::cron::{Counter, StoredJob};
use wire::etcd::etcdserverpb::compare::{CompareTarget, TargetUnion};
use wire::etcd::etcdserverpb::request_op::Request;
use wire::etcd::etcdserverpb::{Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest};
use wire::etcd::mvccpb::KeyValue;

const JOBS: &str = "dapr/jobs/";
const COUNTERS: &str = "dapr/counters/";
const LEADERSHIP: &str = "dapr/leadership";

/// The records of the schedulers.
#[derive(Clone)]
pub(crate) struct Keyspace {
    client: Client,
}

impl Keyspace {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// A job, and the revision that it was written at.
    pub(crate) async fn job(&self, name: &str) -> Result<Option<KeyValue>, Error> {
        self.get(job_key(name)).await
    }

    /// The same of many jobs.
    pub(crate) async fn jobs(&self, names: impl Iterator<Item = &str>) -> Result<Vec<Option<KeyValue>>, Error> {
        self.client.get_all(names.map(job_key).collect()).await
    }

    /// How far each of many jobs is; it may be an older one of the name.
    pub(crate) async fn counters(&self, names: impl Iterator<Item = &str>) -> Result<Vec<Option<KeyValue>>, Error> {
        self.client.get_all(names.map(counter_key).collect()).await
    }

    /// How far a job is; it may be an older one of the name.
    pub(crate) async fn counter(&self, name: &str) -> Result<Option<KeyValue>, Error> {
        self.get(counter_key(name)).await
    }

    pub(crate) async fn put_job(&self, name: &str, job: &StoredJob) -> Result<(), Error> {
        let put = put(job_key(name), job.encode_to_vec().into(), 0);
        self.client.txn(TxnRequest { success: vec![put], ..TxnRequest::default() }).await.map(drop)
    }

    /// Returns whether the job was written: there was none of the name.
    pub(crate) async fn put_new_job(&self, name: &str, job: &StoredJob) -> Result<bool, Error> {
        let key = job_key(name);
        let compare = vec![is_created_at(key.clone(), 0)];
        let success = vec![put(key, job.encode_to_vec().into(), 0)];
        let done = self.client.txn(TxnRequest { compare, success, failure: Vec::new() }).await?;
        Ok(done.succeeded)
    }

    pub(crate) async fn delete_job(&self, name: &str) -> Result<(), Error> {
        let success = vec![delete(job_key(name), Bytes::new()), delete(counter_key(name), Bytes::new())];
        self.client.txn(TxnRequest { success, ..TxnRequest::default() }).await.map(drop)
    }

    /// Deletes all jobs whose names start so.
    pub(crate) async fn delete_jobs(&self, prefix: &str) -> Result<(), Error> {
        let all = |key: Bytes| delete(key.clone(), prefix_end(&key));
        let success = vec![all(job_key(prefix)), all(counter_key(prefix))];
        self.client.txn(TxnRequest { success, ..TxnRequest::default() }).await.map(drop)
    }

    /// All jobs whose names start so, each with its counter, by name.
    pub(crate) fn counted_jobs(&self, prefix: &str) -> Pairs {
        Pairs::new(self.client.clone(), [JOBS, COUNTERS], prefix)
    }

    /// Changes of jobs from a revision on.
    pub(crate) async fn watch_jobs(&self, first: i64) -> Result<Watching, Error> {
        self.client.watch(JOBS, first).await
    }

    /// Writes what has become of jobs. Tells of each whether it was the one of its revision.
    pub(crate) async fn note(&self, notes: Vec<Note>) -> Result<Vec<Result<bool, Error>>, Error> {
        self.client.txns(notes.into_iter().map(|note| note.0).collect()).await
    }

    /// All schedulers that say they are there, and the revision of that.
    pub(crate) async fn leaders(&self) -> Result<(Vec<KeyValue>, i64), Error> {
        let key = Bytes::from_static(LEADERSHIP.as_bytes());
        let request = RangeRequest { range_end: prefix_end(&key), key, ..RangeRequest::default() };
        let found = self.client.range(request).await?;
        Ok((found.kvs, found.header.map_or(0, |header| header.revision)))
    }

    pub(crate) async fn watch_leaders(&self, first: i64) -> Result<Watching, Error> {
        self.client.watch(LEADERSHIP, first).await
    }

    /// Writes what a scheduler says of itself, if what is there is as known: nothing, or an older word. Returns whether it was.
    pub(crate) async fn put_leader(
        &self,
        id: &str,
        known: Option<Bytes>,
        value: Bytes,
        lease: i64,
    ) -> Result<bool, Error> {
        let key = leader_key(id);
        let compare = match known {
            None => is_created_at(key.clone(), 0),
            Some(known) => Compare {
                target: CompareTarget::Value.into(),
                key: key.clone(),
                target_union: Some(TargetUnion::Value(known)),
                ..Compare::default()
            },
        };
        let success = vec![put(key, value, lease)];
        let done = self.client.txn(TxnRequest { compare: vec![compare], success, failure: Vec::new() }).await?;
        Ok(done.succeeded)
    }

    async fn get(&self, key: Bytes) -> Result<Option<KeyValue>, Error> {
        let mut found = self.client.range(RangeRequest { key, ..RangeRequest::default() }).await?;
        Ok(found.kvs.pop())
    }
}

/// What is to be written of a job.
pub(crate) struct Note(TxnRequest);

impl Note {
    /// How far a job is, if it is still the one of a revision.
    pub(crate) fn progress(name: &str, revision: i64, counter: &Counter) -> Self {
        let compare = vec![is_modified_at(job_key(name), revision)];
        let success = vec![put(counter_key(name), counter.encode_to_vec().into(), 0)];
        Self(TxnRequest { compare, success, failure: Vec::new() })
    }

    /// A job is done: it goes, if it is still the one of a revision, and its counter unless that is another job's.
    pub(crate) fn end(name: &str, revision: i64) -> Self {
        let (job, counter) = (job_key(name), counter_key(name));
        let delete = |key: &Bytes| delete(key.clone(), Bytes::new());
        let orphan = TxnRequest {
            compare: vec![is_created_at(job.clone(), 0)],
            success: vec![delete(&counter)],
            failure: Vec::new(),
        };
        Self(TxnRequest {
            compare: vec![is_modified_at(job.clone(), revision)],
            success: vec![delete(&counter), delete(&job)],
            failure: vec![RequestOp { request: Some(Request::RequestTxn(orphan)) }],
        })
    }
}

/// The name of a job from its key.
pub(crate) fn job_name(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key).ok()?.strip_prefix(JOBS)
}

pub(crate) fn leader_key(id: &str) -> Bytes {
    format!("{LEADERSHIP}/{id}").into()
}

fn job_key(name: &str) -> Bytes {
    format!("{JOBS}{name}").into()
}

fn counter_key(name: &str) -> Bytes {
    format!("{COUNTERS}{name}").into()
}

fn put(key: Bytes, value: Bytes, lease: i64) -> RequestOp {
    RequestOp { request: Some(Request::RequestPut(PutRequest { key, value, lease, ..PutRequest::default() })) }
}

fn delete(key: Bytes, range_end: Bytes) -> RequestOp {
    RequestOp { request: Some(Request::RequestDeleteRange(DeleteRangeRequest { key, range_end, prev_kv: false })) }
}

/// Revision 0: the key is not there.
fn is_created_at(key: Bytes, revision: i64) -> Compare {
    let target_union = Some(TargetUnion::CreateRevision(revision));
    Compare { target: CompareTarget::Create.into(), key, target_union, ..Compare::default() }
}

fn is_modified_at(key: Bytes, revision: i64) -> Compare {
    let target_union = Some(TargetUnion::ModRevision(revision));
    Compare { target: CompareTarget::Mod.into(), key, target_union, ..Compare::default() }
}
