//! The store as one of several members that keep the same records, by Raft.
//!
//! All changes go through one log ([`log`]), which each member applies to its own file ([`machine`]) in the same order and with the
//! same revisions. The library decides what is in the log and who leads; changes go to the leader in batches ([`proposer`]),
//! readers wait until their member has what was committed when they came ([`reads`]).
mod answers;
mod joining;
mod links;
mod log;
mod machine;
mod members;
mod proposer;
mod reads;
mod serve;
mod snapshot;
mod supervision;
mod transport;
mod types;

pub use members::{Member, Members};
pub(crate) use proposer::Proposal;
pub use serve::Peers;
pub(crate) use transport::Channels;
pub use transport::{Transport, Unreached};
pub(crate) use types::{Applied, read_applied};

use crate::Error;
use crate::damage::guarded;
use crate::database::Database;
use crate::writer::Shared;
use answers::Receiving;
use foundation_drain::Drain;
use joining::Guard;
use links::Links;
use log::Log;
use machine::{Driven, Machine};
use openraft::{Config, ServerState, SnapshotPolicy};
use reads::Reader;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};
use types::Raft;
use wire::trilby::replication::v1::request::Call;
use wire::trilby::replication::v1::response::Answer;
use wire::trilby::replication::v1::{Change, Outcome};

pub(crate) const SCOPE: &str = "dapr.scheduler.server.etcd";
/// Longest wait for the cluster, as etcd's.
const PATIENCE: Duration = Duration::from_secs(7);
/// Before another try when it is not clear who leads.
const PAUSE: Duration = Duration::from_millis(50);
/// Of leaders, and before others stand for election, in milliseconds. A member must have written to its disk, and a leader must be
/// confirmed, within a heartbeat: disks of small machines take their time.
const HEARTBEAT: u64 = 500;
const ELECTION: (u64, u64) = (1000, 2000);
/// Entries between snapshots, and entries before the last one that are kept for members that are a little behind. Tests come to both soon.
const SNAPSHOT: u64 = if cfg!(test) { 40 } else { 10_000 };
const KEPT: u64 = if cfg!(test) { 20 } else { 5_000 };

/// A member.
pub(crate) struct Replica {
    raft: Raft,
    log: Log,
    machine: Arc<Machine>,
    shared: Arc<Shared>,
    members: Members,
    transport: Arc<dyn Transport>,
    quota: u64,
    gate: Guard,
    receiving: Mutex<Receiving>,
    proposals: mpsc::WeakSender<Proposal>,
    readers: mpsc::Sender<Reader>,
    /// Nothing is proposed any more, whoever is left to ask for it.
    ended: Notify,
}

/// Who leads.
enum Leader {
    Own,
    Other(u64),
}

/// What tools see of a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Situation {
    /// 0 while nobody leads.
    pub(crate) leader: u64,
    pub(crate) term: u64,
    pub(crate) index: u64,
    pub(crate) applied: u64,
}

impl Replica {
    /// Starts the member. What proposes changes ends when nobody holds the sender any more, the rest with the drain.
    pub(crate) async fn start(
        (folder, quota): (&Path, u64),
        shared: Arc<Shared>,
        members: Members,
        transport: Arc<dyn Transport>,
        drain: &Drain,
    ) -> Result<(Arc<Self>, mpsc::Sender<Proposal>), Error> {
        let (machine, log) = open(folder.to_owned(), Arc::clone(&shared)).await?;
        let links = Links(Arc::clone(&transport));
        let driven = Driven(Arc::clone(&machine));
        let raft = Raft::new(members.own().id, Arc::new(config()), links, log.clone(), driven).await;
        let raft = raft.map_err(|error| Error::Storage(format!("the log cannot be used: {error}")))?;
        let (proposals, proposed) = mpsc::channel(proposer::WAITING);
        let (readers, reading) = mpsc::channel(reads::WAITING);
        let (gate, receiving, ended) = (Guard::closed(), Mutex::default(), Notify::new());
        let weak = proposals.downgrade();
        let replica = Self {
            raft,
            log,
            machine,
            shared,
            members,
            transport,
            quota,
            gate,
            receiving,
            proposals: weak,
            readers,
            ended,
        };
        let replica = Arc::new(replica);
        drain.spawn(proposer::run(Arc::clone(&replica), proposed));
        drain.spawn_until_stopped(reads::run(Arc::clone(&replica), reading));
        let (joining, supervised, stopping) = (Arc::clone(&replica), Arc::clone(&replica), drain.clone());
        drain.spawn_until_stopped(async move { joining::run(&joining).await });
        drain.spawn_until_stopped(async move { supervision::run(&supervised, &stopping).await });
        Ok((replica, proposals))
    }

    /// Proposes changes and waits until they are applied; those `for_leader` only if this member leads.
    ///
    /// # Errors
    /// Nothing was done without a leader; after all other errors the changes may be applied later.
    pub(crate) async fn propose(&self, changes: Vec<Change>, for_leader: bool) -> Result<Vec<Outcome>, Error> {
        let proposals = self.proposals.upgrade().ok_or(Error::Stopped)?;
        let (reply, answer) = oneshot::channel();
        let proposal = Proposal { changes, reply, is_for_leader: for_leader };
        let proposed = async {
            proposals.send(proposal).await.map_err(|_| Error::Stopped)?;
            answer.await.map_err(|_| Error::Stopped)?
        };
        timeout(PATIENCE, proposed).await.map_err(|_| Error::TimedOut)?
    }

    /// Waits until this member has what is committed now.
    ///
    /// # Errors
    /// Most members cannot be reached for a while.
    pub(crate) async fn barrier(&self) -> Result<(), Error> {
        let (reader, told) = oneshot::channel();
        let waiting = async {
            self.readers.send(reader).await.map_err(|_| Error::Stopped)?;
            told.await.map_err(|_| Error::Stopped)?
        };
        timeout(PATIENCE, waiting).await.map_err(|_| Error::TimedOut)?
    }

    pub(crate) fn situation(&self) -> Situation {
        let metrics = self.raft.metrics();
        let now = metrics.borrow();
        Situation {
            leader: now.current_leader.unwrap_or_default(),
            term: now.current_term,
            index: now.last_log_index.unwrap_or_default(),
            applied: now.last_applied.map_or(0, |applied| applied.index),
        }
    }

    pub(crate) fn members(&self) -> &Members {
        &self.members
    }

    pub(crate) async fn defragment(&self) -> Result<(), Error> {
        let (machine, file) = (Arc::clone(&self.machine), self.shared.database.file());
        let done = spawn_blocking(move || guarded(&file, || machine.defragment())).await;
        self.shared.health.hear(done.map_err(|_| Error::Stopped).flatten())
    }

    /// Takes part no more; what was applied lasts.
    pub(crate) async fn stop(&self) {
        self.ended.notify_one();
        self.raft.shutdown().await.ok();
        let machine = Arc::clone(&self.machine);
        if let Ok(Err(error)) = spawn_blocking(move || machine.flush()).await {
            tracing::error!(target: SCOPE, "cannot write: {error}");
        }
    }

    #[cfg(test)]
    fn while_nothing_is_written(&self, look: impl FnOnce()) {
        self.log.while_nothing_is_written(|| self.machine.while_nothing_is_written(look));
    }

    /// Waits for a leader.
    async fn leader(&self, deadline: Instant) -> Result<Leader, Error> {
        let mut metrics = self.raft.metrics();
        let known = metrics.wait_for(|now| now.current_leader.is_some() || now.running_state.is_err());
        let known = timeout_at(deadline, known).await.map_err(|_| Error::NoLeader)?.map_err(|_| Error::Stopped)?;
        let leader = known.current_leader.filter(|_| known.running_state.is_ok()).ok_or(Error::Stopped)?;
        let is_own = leader == self.members.own().id && known.state == ServerState::Leader;
        Ok(if is_own { Leader::Own } else { Leader::Other(leader) })
    }

    /// Asks the leader, as long as it is the one that is known.
    ///
    /// # Errors
    /// There is no answer: it may have done what it was asked for.
    async fn ask(&self, leader: u64, call: Call, deadline: Instant) -> Result<Answer, Unreached> {
        let mut metrics = self.raft.metrics();
        let patience = deadline.saturating_duration_since(Instant::now());
        tokio::select! {
            answer = self.transport.exchange(leader, call, patience) => answer,
            _ = metrics.wait_for(|now| now.current_leader != Some(leader)) => Err(Unreached::lost("it leads no more")),
        }
    }

    /// Does something to the log on a thread that may wait for the disk.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Log) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.shared.health.hear(self.log.blocking(work).await)
    }
}

/// What serves a member to the others.
pub(crate) fn peers(replica: Arc<Replica>) -> Peers {
    serve::Answering::service(replica)
}

/// Makes sure that a folder is one of a member from now on.
///
/// # Errors
/// It has the store of a single node.
pub(crate) fn begin(folder: &Path) -> Result<(), Error> {
    if is_in(folder) {
        return Ok(());
    }
    if Database::is_in(folder) {
        let reason = format!(
            "the folder {} has the store of a single scheduler, which cannot become one of several: export its jobs \
             (dapr scheduler export) and import them into the cluster, or use another folder",
            folder.display()
        );
        return Err(Error::Storage(reason));
    }
    log::begin(folder)
}

/// Whether a folder has the store of a member.
pub(crate) fn is_in(folder: &Path) -> bool {
    folder.join(log::NAME).exists()
}

async fn open(folder: std::path::PathBuf, shared: Arc<Shared>) -> Result<(Arc<Machine>, Log), Error> {
    let opened = spawn_blocking(move || {
        let machine = Arc::new(guarded(&shared.database.file(), || Machine::open(Arc::clone(&shared)))?);
        let log = guarded(&folder.join(log::NAME), || {
            let log = Log::open(&folder, Arc::clone(&machine))?;
            log.check()?;
            Ok(log)
        })?;
        Ok((machine, log))
    });
    opened.await.map_err(|_| Error::Stopped)?
}

#[allow(deprecated)] // All settings are to be seen here, and none is read from a command line.
fn config() -> Config {
    Config {
        cluster_name: "scheduler".to_owned(),
        election_timeout_min: ELECTION.0,
        election_timeout_max: ELECTION.1,
        heartbeat_interval: HEARTBEAT,
        install_snapshot_timeout: 10_000,
        send_snapshot_timeout: 0,
        max_payload_entries: 64,
        replication_lag_threshold: KEPT,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(SNAPSHOT),
        snapshot_max_chunk_size: 0,
        max_in_snapshot_log_to_keep: KEPT,
        purge_batch_size: 1,
        enable_tick: true,
        enable_heartbeat: true,
        // Not before the member has joined.
        enable_elect: false,
    }
}

#[cfg(test)]
mod tests;
