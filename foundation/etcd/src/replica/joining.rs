//! How a member becomes one: it founds the cluster with the others, or joins the one that they have.
//!
//! A member without a log may have had one, and have promised and confirmed things that it does not know any more. It takes part in
//! nothing until most of the others have confirmed a leader without its help, and votes for nobody until it has what was
//! committed by then: what it has forgotten was for leaders before this one.
//!
//! Most members found the cluster without the others. All that found it write the same first entry, which names all members, so that
//! whoever is elected has most of them behind it: two halves cannot both begin. A member that has had the log of a cluster is among any
//! majority, as long as its disk is: a member whose disk is empty cannot be told from one that was never there. So the others are waited
//! for a while, and until all have been there the disks of those who began must last.
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
/// How long most members wait for the others before they begin without them.
const GRACE: Duration = Duration::from_secs(5);
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
    #[error("the cluster is new, and too few members of --etcd-initial-cluster are there")]
    Others,
    #[error("the cluster cannot begin: {0}")]
    Refused(String),
    #[error(transparent)]
    Error(#[from] Error),
}

/// What the others say that they are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Others {
    /// One has a log with something in it, or joins those who have.
    Established,
    /// Most members, with this one, are as new as it. These do not answer.
    New { silent: Vec<u64> },
    /// Too few answer.
    Unknown,
}

/// Since when most members are there, and not all.
#[derive(Default)]
struct Incomplete(Option<Instant>);

impl Incomplete {
    fn is_over(&mut self) -> bool {
        self.0.get_or_insert_with(Instant::now).elapsed() >= GRACE
    }
}

/// Makes this member one, however long it takes.
pub(crate) async fn run(replica: &Replica) {
    let (mut tries, mut incomplete) = (0, Incomplete::default());
    while let Err(error) = step(replica, &mut incomplete).await {
        if tries % REMINDER == 0 {
            tracing::warn!(target: SCOPE, "this member is not one of the cluster yet: {error}");
        }
        tries += 1;
        sleep(PAUSE).await;
    }
}

async fn step(replica: &Replica, incomplete: &mut Incomplete) -> Result<(), Waiting> {
    let joining = replica.blocking(|log| log.joining()).await?;
    if let Some(index) = joining {
        return catch_up(replica, index).await;
    }
    if replica.raft.is_initialized().await.map_err(|_| Error::Stopped)? {
        open(replica);
        return Ok(());
    }
    match others(replica).await {
        Others::New { silent } if silent.is_empty() || incomplete.is_over() => found(replica, &silent).await,
        Others::New { .. } => Err(Waiting::Others),
        Others::Established => join(replica).await,
        Others::Unknown => {
            *incomplete = Incomplete::default();
            Err(Waiting::Others)
        }
    }
}

async fn others(replica: &Replica) -> Others {
    let asked = replica.members.others().map(|member| ask(replica, member.id));
    weigh(&futures_util::future::join_all(asked).await)
}

async fn ask(replica: &Replica, member: u64) -> (u64, Option<bool>) {
    match replica.transport.exchange(member, Call::Standing(Empty {}), QUESTION).await {
        Ok(Answer::Standing(standing)) => (member, Some(standing.is_established)),
        _ => (member, None),
    }
}

/// Whether each of the others is one of a cluster, as far as it says.
fn weigh(answers: &[(u64, Option<bool>)]) -> Others {
    if answers.iter().any(|(_, is_established)| *is_established == Some(true)) {
        return Others::Established;
    }
    let silent: Vec<_> = answers.iter().filter(|(_, answer)| answer.is_none()).map(|(id, _)| *id).collect();
    // With this one, those who answer are more than the others.
    let is_most = answers.len() + 1 > 2 * silent.len();
    if is_most { Others::New { silent } } else { Others::Unknown }
}

async fn found(replica: &Replica, silent: &[u64]) -> Result<(), Waiting> {
    let members: BTreeMap<_, _> = replica.members.all().iter().map(|member| (member.id, EmptyNode {})).collect();
    replica.raft.initialize(members).await.map_err(|error| Waiting::Refused(error.to_string()))?;
    tracing::info!(target: SCOPE, "the cluster begins with {} members", replica.members.all().len());
    if !silent.is_empty() {
        let names: Vec<_> = silent.iter().map(|id| replica.members.name(*id)).collect();
        let names = names.join(", ");
        tracing::warn!(target: SCOPE, "{names} cannot be reached: until all members have been there, no disk of the others may be lost");
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_members_begin_and_none_does_beside_a_cluster() {
        let weigh = |answers: &[Option<bool>]| weigh(&(1..).zip(answers.iter().copied()).collect::<Vec<_>>());
        let (new, silent, old) = (Some(false), None, Some(true));
        let all_new = |silent: &[u64]| Others::New { silent: silent.to_vec() };
        assert_eq!(weigh(&[]), all_new(&[]));
        assert_eq!(weigh(&[new, new]), all_new(&[]));
        assert_eq!(weigh(&[silent, new]), all_new(&[1]));
        assert_eq!(weigh(&[silent]), Others::Unknown);
        assert_eq!(weigh(&[silent, silent]), Others::Unknown);
        assert_eq!(weigh(&[new, silent, silent]), Others::Unknown);
        assert_eq!(weigh(&[new, silent, silent, new]), all_new(&[2, 3]));
        for answers in [[old, new], [silent, old], [old, silent]] {
            assert_eq!(weigh(&answers), Others::Established, "{answers:?}");
        }
    }
}
