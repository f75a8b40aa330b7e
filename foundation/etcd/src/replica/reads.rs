//! Reading what has been committed by now, and leases, whose clock is the leader's.
use super::{Leader, PATIENCE, PAUSE, Replica, Unreached};
use crate::Error;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout_at};
use wire::trilby::replication::v1::request::Call;
use wire::trilby::replication::v1::response::Answer;
use wire::trilby::replication::v1::{Empty, LeaseAnswer, LeaseQuestion};

/// Readers that wait; more of them wait to be among these.
pub(crate) const WAITING: usize = 8192;

/// Is told when the records have all that was committed when it began to wait.
pub(crate) type Reader = oneshot::Sender<Result<(), Error>>;

/// Lets readers read until nobody asks any more. Those who come while others are served are served together.
pub(crate) async fn run(replica: Arc<Replica>, mut received: mpsc::Receiver<Reader>) {
    while let Some(first) = received.recv().await {
        let mut readers = vec![first];
        while let Ok(reader) = received.try_recv() {
            readers.push(reader);
        }
        let done = replica.catch_up(Instant::now() + PATIENCE).await;
        readers.into_iter().for_each(|reader| drop(reader.send(done.clone())));
    }
}

impl Replica {
    /// Waits until the records have all that is committed now.
    async fn catch_up(&self, deadline: Instant) -> Result<(), Error> {
        let index = self.committed(deadline).await?;
        self.applied(index, deadline).await
    }

    async fn committed(&self, deadline: Instant) -> Result<u64, Error> {
        while Instant::now() < deadline {
            let answer = match self.leader(deadline).await? {
                Leader::Own => timeout_at(deadline, self.committed_here()).await.map_err(|_| Error::TimedOut)?,
                Leader::Other(leader) => barrier(self.ask(leader, Call::Barrier(Empty {}), deadline).await),
            };
            match answer {
                Some(index) => return Ok(index),
                None => sleep(PAUSE).await,
            }
        }
        Err(Error::TimedOut)
    }

    /// What is committed, if most members confirm that this one leads.
    pub(crate) async fn committed_here(&self) -> Option<u64> {
        let (index, _) = self.raft.get_read_log_id().await.ok()?;
        Some(index.map_or(0, |index| index.index))
    }

    /// The same of a member that may lead.
    pub(crate) async fn committed_at(&self, member: u64, deadline: Instant) -> Option<u64> {
        let patience = deadline.saturating_duration_since(Instant::now());
        barrier(self.transport.exchange(member, Call::Barrier(Empty {}), patience).await)
    }

    pub(crate) async fn applied(&self, index: u64, deadline: Instant) -> Result<(), Error> {
        let mut applied = self.machine.index();
        let reached = applied.wait_for(|applied| applied.is_some_and(|applied| applied >= index) || index == 0);
        timeout_at(deadline, reached).await.map_err(|_| Error::TimedOut)?.map(drop).map_err(|_| Error::Stopped)
    }

    /// Asks the leader of a lease.
    pub(crate) async fn lease(&self, question: LeaseQuestion) -> Result<LeaseAnswer, Error> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let answer = match self.leader(deadline).await? {
                Leader::Own => self.lease_here(question, deadline).await,
                Leader::Other(leader) => match self.ask(leader, Call::Lease(question), deadline).await {
                    Ok(Answer::Lease(answer)) => Some(answer),
                    _ => None,
                },
            };
            match answer {
                Some(answer) => return Ok(answer),
                None => sleep(PAUSE).await,
            }
        }
        Err(Error::TimedOut)
    }

    /// Only while most members confirm that this one leads: else another may end the lease meanwhile.
    pub(crate) async fn lease_here(&self, question: LeaseQuestion, deadline: Instant) -> Option<LeaseAnswer> {
        let index = timeout_at(deadline, self.committed_here()).await.ok()??;
        self.applied(index, deadline).await.ok()?;
        let leases = &self.shared.leases;
        if question.renews {
            let granted = leases.renew(question.id).unwrap_or_default();
            return Some(LeaseAnswer { granted, remaining: granted });
        }
        let left = leases.left(question.id);
        Some(
            left.map_or_else(LeaseAnswer::default, |left| LeaseAnswer {
                granted: left.granted,
                remaining: left.remaining,
            }),
        )
    }
}

fn barrier(answer: Result<Answer, Unreached>) -> Option<u64> {
    match answer {
        Ok(Answer::Barrier(index)) => Some(index),
        _ => None,
    }
}
