//! How a member becomes one: it founds the cluster with the others, or joins the one that they have.
//!
//! A member without a log may have had one, and have promised and confirmed things that it does not know any more. It takes part in
//! nothing until most of the others have confirmed a leader without its help, and votes for nobody until it has what was
//! committed by then: what it has forgotten was for leaders before this one.
use super::{PATIENCE, Replica, SCOPE};
use crate::Error;
use openraft::EmptyNode;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use wire::trilby::replication::v1::Empty;
use wire::trilby::replication::v1::request::Call;
use wire::trilby::replication::v1::response::Answer;

/// Before the others are asked again, and after how many times it is said whom this one waits for.
const PAUSE: Duration = Duration::from_millis(200);
const REMINDER: u32 = 50;
/// Longest question of what another member is.
const QUESTION: Duration = Duration::from_secs(2);

/// What a member takes part in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Gate {
    Closed,
    /// It follows a leader, and does not vote.
    Followers,
    Open,
}

/// The gate as it is now.
pub(crate) struct Guard(AtomicU8);

impl Guard {
    pub(crate) fn closed() -> Self {
        Self(AtomicU8::new(Gate::Closed as u8))
    }

    pub(crate) fn get(&self) -> Gate {
        match self.0.load(Ordering::Acquire) {
            0 => Gate::Closed,
            1 => Gate::Followers,
            _ => Gate::Open,
        }
    }

    fn set(&self, gate: Gate) {
        self.0.store(gate as u8, Ordering::Release);
    }
}

/// Why a member is none yet.
#[derive(Debug, thiserror::Error)]
enum Waiting {
    #[error("the cluster is new, and not all members of --etcd-initial-cluster are there")]
    Others,
    #[error("the cluster cannot begin: {0}")]
    Refused(String),
    #[error(transparent)]
    Error(#[from] Error),
}

/// What the others say that they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    /// One has a log with something in it.
    Established,
    /// All are as new as this one.
    New,
    /// Some do not answer.
    Unknown,
}

/// Makes this member one, however long it takes.
pub(crate) async fn run(replica: &Replica) {
    let mut tries = 0;
    while let Err(error) = step(replica).await {
        if tries % REMINDER == 0 {
            tracing::warn!(target: SCOPE, "this member is not one of the cluster yet: {error}");
        }
        tries += 1;
        sleep(PAUSE).await;
    }
}

async fn step(replica: &Replica) -> Result<(), Waiting> {
    let joining = replica.blocking(|log| log.joining()).await?;
    if let Some(index) = joining {
        return catch_up(replica, index).await;
    }
    if replica.raft.is_initialized().await.map_err(|_| Error::Stopped)? {
        open(replica);
        return Ok(());
    }
    match others(replica).await {
        Others::New => found(replica).await,
        Others::Established => join(replica).await,
        Others::Unknown => Err(Waiting::Others),
    }
}

async fn others(replica: &Replica) -> Others {
    let ask = |id| replica.transport.exchange(id, Call::Standing(Empty {}), QUESTION);
    let answers = futures_util::future::join_all(replica.members.others().map(|member| ask(member.id))).await;
    let answers: Vec<_> = answers
        .into_iter()
        .map(|answer| match answer {
            Ok(Answer::Standing(standing)) => Some(standing.is_established),
            _ => None,
        })
        .collect();
    match answers {
        answers if answers.contains(&Some(true)) => Others::Established,
        answers if answers.contains(&None) => Others::Unknown,
        _ => Others::New,
    }
}

async fn found(replica: &Replica) -> Result<(), Waiting> {
    let members: BTreeMap<_, _> = replica.members.all().iter().map(|member| (member.id, EmptyNode {})).collect();
    replica.raft.initialize(members).await.map_err(|error| Waiting::Refused(error.to_string()))?;
    tracing::info!(target: SCOPE, "the cluster begins with {} members", replica.members.all().len());
    open(replica);
    Ok(())
}

/// The gate is closed: a leader that is confirmed is confirmed by others.
async fn join(replica: &Replica) -> Result<(), Waiting> {
    let deadline = Instant::now() + PATIENCE;
    for member in replica.members.others() {
        let Some(index) = replica.committed_at(member.id, deadline).await else { continue };
        replica.blocking(move |log| log.set_joining(Some(index))).await?;
        tracing::info!(target: SCOPE, "joining the cluster, whose log is at {index}");
        return catch_up(replica, index).await;
    }
    Err(Error::NoLeader.into())
}

/// From now on it votes, and stands for election.
fn open(replica: &Replica) {
    replica.gate.set(Gate::Open);
    replica.raft.runtime_config().elect(true);
}

async fn catch_up(replica: &Replica, index: u64) -> Result<(), Waiting> {
    replica.gate.set(Gate::Followers);
    replica.applied(index, Instant::now() + PATIENCE).await?;
    replica.blocking(|log| log.set_joining(None)).await?;
    open(replica);
    tracing::info!(target: SCOPE, "this member has caught up with the cluster");
    Ok(())
}
