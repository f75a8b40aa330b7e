//! What a member answers the others.
use super::joining::Gate;
use super::snapshot::{Data, Incoming};
use super::types::{SnapshotMeta, Vote, log_id, read_applied, read_entry, read_log_id, read_vote, vote};
use super::{PATIENCE, Replica};
use crate::Error;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest};
use openraft::{ServerState, Snapshot};
use tokio::time::Instant;
use wire::trilby::replication::v1::appended::Result as Taken;
use wire::trilby::replication::v1::request::Call;
use wire::trilby::replication::v1::response::Answer;
use wire::trilby::replication::v1::{
    Append, Appended, Candidacy, Changes, Empty, Failure, Outcomes, Part, Piece, Refusal, Request, Standing, Voted,
};

/// A transfer from another member that has begun.
pub(crate) type Receiving = Option<(u64, Box<Incoming>)>;

impl Replica {
    /// Answers another member.
    pub(crate) async fn answer(&self, request: Request) -> Answer {
        let is_meant = request.cluster == self.members.cluster() && request.to == self.members.own().id;
        let Some(call) = request.call.filter(|_| is_meant) else { return refusal(Refusal::Stranger) };
        match call {
            Call::Standing(_) => self.standing().await,
            Call::Append(append) if self.gate.get() >= Gate::Followers => self.append(append).await,
            Call::Piece(piece) if self.gate.get() >= Gate::Followers => self.take(piece).await,
            Call::Candidacy(candidacy) if self.gate.get() >= Gate::Open => self.vote(candidacy).await,
            Call::Append(_) | Call::Piece(_) | Call::Candidacy(_) => refusal(Refusal::NotReady),
            call if self.raft.metrics().borrow().state == ServerState::Leader => self.lead(call).await,
            _ => refusal(Refusal::NotLeader),
        }
    }

    /// What only a leader can answer.
    async fn lead(&self, call: Call) -> Answer {
        let answer = match call {
            Call::Changes(changes) => return self.propose_for(changes).await,
            Call::Lease(question) => self.lease_here(question, Instant::now() + PATIENCE).await.map(Answer::Lease),
            Call::Barrier(_) => self.committed_here().await.map(Answer::Barrier),
            _ => None,
        };
        answer.unwrap_or_else(|| refusal(Refusal::NotLeader))
    }

    async fn standing(&self) -> Answer {
        let last = self.raft.metrics().borrow().last_log_index;
        match self.blocking(|log| log.joining()).await {
            Ok(joining) => {
                Answer::Standing(Standing { is_established: joining.is_some() || last.is_some_and(|last| last > 0) })
            }
            Err(error) => failure(error),
        }
    }

    async fn append(&self, append: Append) -> Answer {
        let entries = append.entries.into_iter().map(read_entry).collect::<Result<_, _>>();
        let request = match entries {
            Ok(entries) => AppendEntriesRequest {
                vote: read_vote(append.vote),
                prev_log_id: append.previous.map(read_log_id),
                entries,
                leader_commit: append.committed.map(read_log_id),
            },
            Err(error) => return failure(error),
        };
        let result = match self.raft.append_entries(request).await {
            Ok(AppendEntriesResponse::Success) => Taken::All(Empty {}),
            Ok(AppendEntriesResponse::PartialSuccess(last)) => Taken::Part(Part { last: last.map(log_id) }),
            Ok(AppendEntriesResponse::Conflict) => Taken::Conflict(Empty {}),
            Ok(AppendEntriesResponse::HigherVote(higher)) => Taken::HigherVote(vote(higher)),
            Err(_) => return failure(Error::Stopped),
        };
        Answer::Appended(Appended { result: Some(result) })
    }

    async fn vote(&self, candidacy: Candidacy) -> Answer {
        let request = VoteRequest::new(read_vote(candidacy.vote), candidacy.last.map(read_log_id));
        match self.raft.vote(request).await {
            Ok(voted) => Answer::Voted(Voted {
                vote: Some(vote(voted.vote)),
                is_granted: voted.vote_granted,
                last: voted.last_log_id.map(log_id),
            }),
            Err(_) => failure(Error::Stopped),
        }
    }

    async fn take(&self, piece: Piece) -> Answer {
        let sender = read_vote(piece.vote);
        match self.take_piece(sender, piece).await {
            Ok(own) => Answer::Installed(vote(own)),
            Err(error) => failure(error),
        }
    }

    async fn take_piece(&self, sender: Vote, piece: Piece) -> Result<Vote, Error> {
        let stopped = |_| Error::Stopped;
        let own = self.raft.with_raft_state(|state| *state.vote_ref()).await.map_err(stopped)?;
        if sender < own {
            return Ok(own);
        }
        let mut receiving = self.receiving.lock().await;
        if piece.number == 0 {
            let begun = self.raft.begin_receiving_snapshot().await.map_err(|_| Error::Stopped)?;
            *receiving = Some((piece.transfer, Box::new(begun.incoming()?)));
        }
        let (transfer, applied) = (piece.transfer, read_applied(piece.applied.clone().unwrap_or_default()));
        let unknown = || Error::Storage("a piece of a snapshot has come out of turn".to_owned());
        let (_, mut incoming) = receiving.take().filter(|(known, _)| *known == transfer).ok_or_else(unknown)?;
        let added = tokio::task::spawn_blocking(move || incoming.add(&piece).map(|last| (last, incoming))).await;
        let (last, incoming) = added.map_err(|_| Error::Stopped)??;
        if last.ok_or_else(unknown)? {
            return self.install(sender, applied.meta(), incoming).await;
        }
        *receiving = Some((transfer, incoming));
        Ok(sender)
    }

    async fn install(&self, sender: Vote, meta: SnapshotMeta, incoming: Box<Incoming>) -> Result<Vote, Error> {
        let snapshot = Snapshot { meta, snapshot: Box::new(Data::Incoming(*incoming)) };
        let installed = self.raft.install_full_snapshot(sender, snapshot).await;
        Ok(installed.map_err(|_| Error::Stopped)?.vote)
    }

    /// Proposes what another member cannot.
    async fn propose_for(&self, changes: Changes) -> Answer {
        match self.propose(changes.changes, true).await {
            Ok(outcomes) => Answer::Outcomes(Outcomes { outcomes }),
            Err(Error::NotLeader) => refusal(Refusal::NotLeader),
            Err(error) => failure(error),
        }
    }
}

fn refusal(refusal: Refusal) -> Answer {
    Answer::Refusal(refusal.into())
}

fn failure(error: Error) -> Answer {
    Answer::Failure(Failure::from(error))
}
