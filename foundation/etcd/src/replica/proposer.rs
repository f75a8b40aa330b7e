//! Changes on their way into the log: what waits is proposed together, so that many callers share one wait for the disks.
use super::types::Encoded;
use super::{Leader, PATIENCE, PAUSE, Replica};
use crate::Error;
use openraft::error::{ClientWriteError, RaftError};
use prost::Message;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout_at};
use wire::trilby::replication::v1::request::Call;
use wire::trilby::replication::v1::response::Answer;
use wire::trilby::replication::v1::{Change, Changes, Outcome, Outcomes, Refusal};

/// Changes of one entry of the log, and their bytes; one change may have more.
const TOGETHER: usize = 4096;
const BYTES: usize = 4 << 20;
/// Callers that wait; more of them wait to be among these.
pub(crate) const WAITING: usize = 8192;

/// Changes that somebody waits for.
pub(crate) struct Proposal {
    pub(crate) changes: Vec<Change>,
    pub(crate) reply: oneshot::Sender<Result<Vec<Outcome>, Error>>,
    /// Whether only this member may propose them, as its leader.
    pub(crate) is_for_leader: bool,
}

/// What has become of changes.
enum Fate {
    Applied(Vec<Outcome>),
    /// They are in no log, as another member leads.
    Untouched,
    Unknown(Error),
}

/// Proposes until nobody can ask for it any more, or the member has ended.
pub(crate) async fn run(replica: Arc<Replica>, mut received: mpsc::Receiver<Proposal>) {
    loop {
        let first = tokio::select! {
            first = received.recv() => first,
            () = replica.ended.notified() => None,
        };
        let Some(first) = first else { return };
        let proposals = gather(first, &mut received);
        replica.settle(proposals).await;
    }
}

fn gather(first: Proposal, received: &mut mpsc::Receiver<Proposal>) -> Vec<Proposal> {
    let (mut count, mut size) = (first.changes.len(), bytes(&first));
    let mut proposals = vec![first];
    while count < TOGETHER && size < BYTES {
        let Ok(proposal) = received.try_recv() else { break };
        count += proposal.changes.len();
        size += bytes(&proposal);
        proposals.push(proposal);
    }
    proposals
}

fn bytes(proposal: &Proposal) -> usize {
    proposal.changes.iter().map(Message::encoded_len).sum()
}

impl Replica {
    /// Proposes changes until they are applied, or for a while; answers all who wait for them.
    async fn settle(&self, mut proposals: Vec<Proposal>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Who has given up is not to be surprised later.
            proposals.retain(|proposal| !proposal.reply.is_closed());
            if proposals.is_empty() {
                return;
            }
            match self.submit(&mut proposals, deadline).await {
                Fate::Applied(outcomes) => return distribute(proposals, outcomes),
                Fate::Unknown(error) => return refuse(proposals, &error),
                Fate::Untouched if Instant::now() >= deadline => return refuse(proposals, &Error::NoLeader),
                Fate::Untouched => sleep(PAUSE).await,
            }
        }
    }

    async fn submit(&self, proposals: &mut Vec<Proposal>, deadline: Instant) -> Fate {
        let leader = match self.leader(deadline).await {
            Ok(leader) => leader,
            Err(error) => return Fate::Unknown(error),
        };
        match leader {
            Leader::Own => self.write(proposals, deadline).await,
            Leader::Other(leader) => {
                let (others, own) = std::mem::take(proposals).into_iter().partition(|proposal| proposal.is_for_leader);
                refuse(others, &Error::NotLeader);
                *proposals = own;
                self.forward(leader, proposals, deadline).await
            }
        }
    }

    async fn write(&self, proposals: &[Proposal], deadline: Instant) -> Fate {
        let changes = Changes { changes: changes(proposals), quota: self.quota };
        let written = timeout_at(deadline, self.raft.client_write(Encoded(changes.encode_to_vec().into()))).await;
        match written {
            Ok(Ok(response)) => Fate::Applied(response.data),
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_)))) => Fate::Untouched,
            Ok(Err(_)) => Fate::Unknown(Error::Stopped),
            Err(_) => Fate::Unknown(Error::TimedOut),
        }
    }

    async fn forward(&self, leader: u64, proposals: &[Proposal], deadline: Instant) -> Fate {
        if proposals.is_empty() {
            return Fate::Untouched;
        }
        let call = Call::Changes(Changes { changes: changes(proposals), quota: 0 });
        match self.ask(leader, call, deadline).await {
            Ok(Answer::Outcomes(Outcomes { outcomes })) => Fate::Applied(outcomes),
            Ok(Answer::Refusal(refusal)) if refusal != i32::from(Refusal::Stranger) => Fate::Untouched,
            Ok(_) => Fate::Unknown(Error::TimedOut),
            Err(unreached) if unreached.may_have_arrived => Fate::Unknown(Error::ConnectionLost),
            Err(_) => Fate::Untouched,
        }
    }
}

fn changes(proposals: &[Proposal]) -> Vec<Change> {
    proposals.iter().flat_map(|proposal| proposal.changes.iter().cloned()).collect()
}

fn distribute(proposals: Vec<Proposal>, outcomes: Vec<Outcome>) {
    let mut outcomes = outcomes.into_iter();
    for Proposal { changes, reply, .. } in proposals {
        let own: Vec<_> = outcomes.by_ref().take(changes.len()).collect();
        reply.send(Ok(own)).ok();
    }
}

fn refuse(proposals: Vec<Proposal>, error: &Error) {
    for proposal in proposals {
        proposal.reply.send(Err(error.clone())).ok();
    }
}
