//! The store, behind the messages of etcd's API: of a single node, or one of several that keep the same records.
mod leases;
mod replicated;

use crate::damage::guarded;
use crate::database::{Database, Numbers};
use crate::execution::Execution;
use crate::health::Health;
use crate::history::{History, Limits};
use crate::keys::Keys;
use crate::leases::Leases;
use crate::pairs::BYTES;
use crate::quota::Quota;
use crate::read::{self, Extent, Past};
use crate::request::check;
use crate::watcher::{Watcher, history};
use crate::writer::{Command, Reply, Shared, start};
use crate::{Error, Sizes};
use bytes::Bytes;
use foundation_drain::Drain;
use replicated::Membership;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_blocking;
use wire::etcd::etcdserverpb::request_op::Request;
use wire::etcd::etcdserverpb::response_op::Response;
use wire::etcd::etcdserverpb::{
    DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, RangeRequest, RangeResponse, RequestOp,
    ResponseHeader, TxnRequest, TxnResponse,
};
use wire::etcd::mvccpb::KeyValue;
use wire::trilby::replication::v1::Empty;
use wire::trilby::replication::v1::change::Change as Kind;

/// Records that are read at once; more are read on a thread of their own.
const FEW: i64 = 64;
/// The one term of a store that elects nobody.
const TERM: u64 = 1;
/// How long others may go on when the store is to end, and how often they are looked at.
const FAREWELL: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(10);

/// How a store is run.
#[derive(Clone, Debug)]
pub struct Settings {
    pub folder: PathBuf,
    /// In bytes of keys and values.
    pub quota: u64,
    /// Operations of one transaction.
    pub most_operations: usize,
    /// How much of the past can be read and watched: bytes of events, and revisions.
    pub history_bytes: u64,
    pub history_revisions: i64,
}

/// A store. Clones are the same one.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    way: Way,
    most_operations: usize,
}

/// How changes come to the records.
#[derive(Clone)]
enum Way {
    Alone(mpsc::Sender<Command>),
    Replicated(Membership),
}

impl Store {
    /// Opens the store. Keys that went with a lease are gone.
    ///
    /// # Errors
    /// A folder or file that cannot be used.
    pub async fn open(settings: Settings, drain: &Drain) -> Result<Self, Error> {
        let folder = settings.folder.clone();
        let opened = spawn_blocking(move || {
            replicated::refuse_member(&folder)?;
            guarded(&Database::file_in(&folder), || {
                let (database, numbers) = Database::open(&folder)?;
                let numbers = without_leases(&database, numbers)?;
                Ok((database, numbers))
            })
        });
        let (database, numbers) = opened.await.map_err(|_| Error::Stopped)??;
        let shared = Arc::new(shared(&settings, database, numbers, drain));
        let commands = start(Arc::clone(&shared), Quota(settings.quota), drain);
        let store = Self { shared, way: Way::Alone(commands), most_operations: settings.most_operations };
        store.clone().watch_over(drain);
        Ok(store)
    }

    fn watch_over(self, drain: &Drain) {
        let stopping = drain.clone();
        drain.spawn(async move {
            loop {
                tokio::select! {
                    id = self.shared.leases.expired(), if !self.is_replicated() => drop(self.lease_revoke(id).await),
                    () = stopping.stopped() => break,
                }
            }
            // Others may have to write what they have begun. A file that is closed need not be checked when it is opened.
            tokio::time::timeout(FAREWELL, self.alone_left()).await.ok();
            let stopped = async {
                match &self.way {
                    Way::Alone(commands) => drop(ask(commands, Command::Stop).await),
                    Way::Replicated(member) => member.replica.stop().await,
                }
            };
            tokio::time::timeout(FAREWELL, stopped).await.ok();
        });
    }

    /// Waits until nobody else can write.
    async fn alone_left(&self) {
        let others = || match &self.way {
            Way::Alone(commands) => commands.strong_count(),
            Way::Replicated(member) => member.proposals.strong_count(),
        };
        while others() > 1 {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Reads records.
    ///
    /// # Errors
    /// A range without a key, a revision that is gone or not there yet, a file that cannot be read.
    pub async fn range(&self, request: RangeRequest) -> Result<RangeResponse, Error> {
        self.read(request, Extent::Asked).await
    }

    /// Reads some records of a range from its begin on: a mebibyte and the rest of the last one, or as many as the limit says. The
    /// count is not that of what is behind them.
    ///
    /// # Errors
    /// As [`Store::range`].
    pub async fn page(&self, request: RangeRequest) -> Result<RangeResponse, Error> {
        self.read(request, Extent::Page(BYTES)).await
    }

    async fn read(&self, request: RangeRequest, extent: Extent) -> Result<RangeResponse, Error> {
        self.wait_for(&request).await?;
        let is_page = matches!(extent, Extent::Page(_));
        let is_small = request.range_end.is_empty() || (is_page && (1..=FEW).contains(&request.limit));
        if is_small && request.revision <= 0 {
            return self.read_now(&request, extent);
        }
        let store = self.clone();
        spawn_blocking(move || store.read_now(&request, extent)).await.map_err(|_| Error::Stopped)?
    }

    /// Reads records by their keys, all as they are at one moment.
    ///
    /// # Errors
    /// As [`Store::range`].
    pub async fn get_all(&self, keys: &[Bytes]) -> Result<Vec<Option<KeyValue>>, Error> {
        self.wait_for(&RangeRequest::default()).await?;
        self.shared.read(|snapshot| {
            let get = |key: &Bytes| {
                let record = read::get(&snapshot.records, key)?;
                Ok(record.map(|record| record.into_key_value(key.clone())))
            };
            keys.iter().map(get).collect()
        })
    }

    fn read_now(&self, request: &RangeRequest, extent: Extent) -> Result<RangeResponse, Error> {
        self.shared.read(|snapshot| {
            let past = self.past(request, snapshot.revision)?;
            let mut response = read::range(&snapshot.records, request, &past, extent)?;
            response.header = Some(self.header(snapshot.revision));
            Ok(response)
        })
    }

    fn past(&self, request: &RangeRequest, revision: i64) -> Result<Past, Error> {
        if request.revision <= 0 || request.revision == revision {
            return Ok(Past::new());
        }
        if request.revision > revision {
            return Err(Error::FutureRevision);
        }
        let keys = Keys::of(&request.key, &request.range_end)?;
        loop {
            // A commit can be read a moment before it is in the history.
            let history = history(&self.shared);
            if history.revision() >= revision {
                return history.undo(request.revision, revision, &keys);
            }
            drop(history);
            std::thread::yield_now();
        }
    }

    /// Carries out a transaction.
    ///
    /// # Errors
    /// What etcd refuses, and a file that cannot be written.
    pub async fn txn(&self, request: TxnRequest) -> Result<TxnResponse, Error> {
        check(&request, self.most_operations)?;
        let (response, revision) = match &self.way {
            Way::Alone(commands) => ask(commands, |reply| Command::Transact(request, reply)).await?,
            Way::Replicated(member) => member.transact(request).await?,
        };
        Ok(self.complete(response, revision))
    }

    /// Carries out transactions one after the other, and waits for all of them together. Tells of each whether its comparisons held.
    ///
    /// # Errors
    /// Of each as [`Store::txn`]; of all of them when one makes no sense.
    pub async fn txns(&self, requests: Vec<TxnRequest>) -> Result<Vec<Result<bool, Error>>, Error> {
        requests.iter().try_for_each(|request| check(request, self.most_operations))?;
        match &self.way {
            Way::Alone(commands) => Ok(ask(commands, |reply| Command::TransactAll(requests, reply)).await?.0),
            Way::Replicated(member) => member.transact_all(requests).await,
        }
    }

    /// The headers of an answer.
    fn complete(&self, mut response: TxnResponse, revision: i64) -> TxnResponse {
        let header = self.header(revision);
        response.responses.iter_mut().filter_map(|response| response.response.as_mut()).for_each(|response| {
            match response {
                Response::ResponseRange(range) => range.header = Some(header),
                Response::ResponsePut(put) => put.header = Some(header),
                Response::ResponseDeleteRange(delete) => delete.header = Some(header),
                Response::ResponseTxn(inner) => inner.header = Some(header),
            }
        });
        response.header = Some(header);
        response
    }

    /// Writes a record.
    ///
    /// # Errors
    /// As [`Store::txn`].
    pub async fn put(&self, request: PutRequest) -> Result<PutResponse, Error> {
        match self.single(Request::RequestPut(request)).await? {
            Some(Response::ResponsePut(response)) => Ok(response),
            _ => Err(Error::Stopped),
        }
    }

    /// Deletes records.
    ///
    /// # Errors
    /// As [`Store::txn`].
    pub async fn delete_range(&self, request: DeleteRangeRequest) -> Result<DeleteRangeResponse, Error> {
        match self.single(Request::RequestDeleteRange(request)).await? {
            Some(Response::ResponseDeleteRange(response)) => Ok(response),
            _ => Err(Error::Stopped),
        }
    }

    async fn single(&self, request: Request) -> Result<Option<Response>, Error> {
        let operation = RequestOp { request: Some(request) };
        let transaction = TxnRequest { success: vec![operation], ..TxnRequest::default() };
        let mut response = self.txn(transaction).await?;
        Ok(response.responses.pop().and_then(|response| response.response))
    }

    /// Forgets what was before a revision.
    ///
    /// # Errors
    /// A revision that is forgotten already, or not there yet.
    pub async fn compact(&self, revision: i64) -> Result<ResponseHeader, Error> {
        let now = match &self.way {
            Way::Alone(_) => self.compact_alone(revision)?,
            Way::Replicated(member) => member.change(Kind::Compaction(revision)).await?,
        };
        Ok(self.header(now))
    }

    fn compact_alone(&self, revision: i64) -> Result<i64, Error> {
        let mut history = history(&self.shared);
        if revision > history.revision() {
            return Err(Error::FutureRevision);
        }
        if revision < history.first() - 1 {
            return Err(Error::Compacted);
        }
        history.forget_before(revision + 1);
        Ok(history.revision())
    }

    /// Forgets most of what was before a revision, but for what watches have not seen: it was kept for those who come back soon.
    pub fn age(&self, revision: i64) {
        history(&self.shared).age(revision);
    }

    /// Watches keys from a revision on; 0 is from now on.
    ///
    /// # Errors
    /// No key.
    pub fn watch(&self, key: &Bytes, range_end: &Bytes, first: i64) -> Result<Watcher, Error> {
        Ok(Watcher::new(&self.shared, Keys::of(key, range_end)?, first))
    }

    /// Whether the quota has been reached, and nobody has put the alarm out since.
    pub fn has_alarm(&self) -> bool {
        self.shared.numbers.borrow().no_space
    }

    /// Puts the alarm out.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub async fn end_alarm(&self) -> Result<ResponseHeader, Error> {
        self.done(Command::EndAlarm, Kind::EndAlarm(Empty {})).await
    }

    /// Makes the file as small as it can be. Writes wait meanwhile.
    ///
    /// # Errors
    /// No space for the new file, which exists beside the old one for a while.
    pub async fn defragment(&self) -> Result<ResponseHeader, Error> {
        match &self.way {
            Way::Alone(commands) => drop(ask(commands, Command::Defragment).await?),
            Way::Replicated(member) => member.replica.defragment().await?,
        }
        Ok(self.now())
    }

    pub fn sizes(&self) -> Sizes {
        Sizes { file: self.shared.database.length(), in_use: self.shared.numbers.borrow().size }
    }

    /// The header of an answer that is given now.
    pub fn now(&self) -> ResponseHeader {
        self.header(self.shared.numbers.borrow().revision)
    }

    fn header(&self, revision: i64) -> ResponseHeader {
        let Numbers { cluster, member, .. } = *self.shared.numbers.borrow();
        let raft_term = self.member().map_or(TERM, |member| member.replica.situation().term);
        ResponseHeader { cluster_id: cluster, member_id: member, revision, raft_term }
    }

    /// Does something that has no answer but a revision.
    async fn done(&self, alone: impl FnOnce(Reply<()>) -> Command, change: Kind) -> Result<ResponseHeader, Error> {
        let revision = match &self.way {
            Way::Alone(commands) => ask(commands, alone).await?.1,
            Way::Replicated(member) => member.change(change).await?,
        };
        Ok(self.header(revision))
    }
}

async fn ask<T>(
    commands: &mpsc::Sender<Command>,
    command: impl FnOnce(Reply<T>) -> Command,
) -> Result<(T, i64), Error> {
    let (reply, answer) = oneshot::channel();
    commands.send(command(reply)).await.map_err(|_| Error::Stopped)?;
    answer.await.map_err(|_| Error::Stopped)?
}

fn shared(settings: &Settings, database: Database, numbers: Numbers, drain: &Drain) -> Shared {
    let limits = Limits { bytes: settings.history_bytes, revisions: settings.history_revisions };
    let history = Mutex::new(History::new(numbers.revision, limits));
    let (leases, health) = (Leases::default(), Health::new(drain));
    Shared { database, history, leases, health, numbers: watch::Sender::new(numbers) }
}

/// Deletes what went with leases: their holders have lost their connection.
fn without_leases(database: &Database, numbers: Numbers) -> Result<Numbers, Error> {
    let opened = database.current()?;
    let writing = opened.begin_write().map_err(Error::storage)?;
    let mut execution = Execution::new(&writing, numbers, Quota(u64::MAX))?;
    execution.end_lease(None)?;
    let after = execution.numbers;
    drop(execution);
    after.write(&writing)?;
    writing.commit().map_err(Error::storage)?;
    Ok(after)
}
