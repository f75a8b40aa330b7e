//! The other members, as the library calls them.
use super::snapshot::{Data, Position, View};
use super::types::{Entry, Types, Vote, applied, entry, log_id, read_log_id, read_vote, vote};
use super::{Applied, Transport, Unreached};
use openraft::error::{Fatal, NetworkError, RPCError, RaftError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{Backoff, RPCOption};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse};
use openraft::{EmptyNode, OptionalSend, RaftNetwork, RaftNetworkFactory, Snapshot};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;
use wire::trilby::replication::v1::appended::Result as Taken;
use wire::trilby::replication::v1::request::Call;
use wire::trilby::replication::v1::response::Answer;
use wire::trilby::replication::v1::{Append, Appended, Candidacy, Piece, Voted};

/// Longest exchange of a piece of a snapshot.
const PIECE: Duration = Duration::from_secs(10);
/// Before a member is called again that cannot be reached.
const PAUSE: Duration = Duration::from_millis(200);

type RpcError = RPCError<u64, EmptyNode, RaftError<u64>>;
type SnapshotError = StreamingError<Types, Fatal<u64>>;

/// Makes links to members.
pub(crate) struct Links(pub(crate) Arc<dyn Transport>);

/// The way to one member.
pub(crate) struct Link {
    to: u64,
    transport: Arc<dyn Transport>,
}

impl RaftNetworkFactory<Types> for Links {
    type Network = Link;

    async fn new_client(&mut self, target: u64, _: &EmptyNode) -> Link {
        Link { to: target, transport: Arc::clone(&self.0) }
    }
}

impl RaftNetwork<Types> for Link {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RpcError> {
        let call = Call::Append(Append {
            vote: Some(vote(request.vote)),
            previous: request.prev_log_id.map(log_id),
            entries: request.entries.iter().map(|written: &Entry| entry(written)).collect(),
            committed: request.leader_commit.map(log_id),
        });
        match self.transport.exchange(self.to, call, option.hard_ttl()).await {
            Ok(Answer::Appended(Appended { result: Some(result) })) => Ok(taken(result)),
            other => Err(unreachable(other)),
        }
    }

    async fn vote(&mut self, request: VoteRequest<u64>, option: RPCOption) -> Result<VoteResponse<u64>, RpcError> {
        let call = Candidacy { vote: Some(vote(request.vote)), last: request.last_log_id.map(log_id) };
        match self.transport.exchange(self.to, Call::Candidacy(call), option.hard_ttl()).await {
            Ok(Answer::Voted(Voted { vote, is_granted, last })) => {
                Ok(VoteResponse::new(read_vote(vote), last.map(read_log_id), is_granted))
            }
            other => Err(unreachable(other)),
        }
    }

    async fn full_snapshot(
        &mut self,
        own: Vote,
        snapshot: Snapshot<Types>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<u64>, SnapshotError> {
        let state = Applied::from(&snapshot.meta);
        let Data::View(view) = *snapshot.snapshot else {
            return Err(failed(&Unreached::not_sent("a snapshot that comes cannot be sent")));
        };
        tokio::select! {
            sent = self.send(own, &state, *view) => sent,
            closed = cancel => Err(StreamingError::Closed(closed)),
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(PAUSE))
    }
}

impl Link {
    async fn send(&self, own: Vote, state: &Applied, view: View) -> Result<SnapshotResponse<u64>, SnapshotError> {
        let (transfer, view, mut number) = (rand::random(), Arc::new(view), 0);
        let mut next = Some(Position::default());
        let mut answer = own;
        while let Some(position) = next {
            let reader = Arc::clone(&view);
            let read = spawn_blocking(move || reader.rows(position)).await;
            let unreadable = |reason: String| failed(&Unreached::not_sent(reason));
            let read = read.map_err(|error| unreadable(error.to_string()))?;
            let (rows, behind) = read.map_err(|error| unreadable(error.to_string()))?;
            let numbers = behind.is_none().then(|| view.numbers());
            let piece = Piece { vote: Some(vote(own)), applied: Some(applied(state)), transfer, number, rows, numbers };
            answer = self.send_piece(piece).await?;
            if answer > own {
                break;
            }
            (next, number) = (behind, number + 1);
        }
        Ok(SnapshotResponse::new(answer))
    }

    async fn send_piece(&self, piece: Piece) -> Result<Vote, SnapshotError> {
        match self.transport.exchange(self.to, Call::Piece(piece), PIECE).await {
            Ok(Answer::Installed(vote)) => Ok(read_vote(Some(vote))),
            Ok(_) => Err(failed(&Unreached::not_sent("the member does not take the snapshot"))),
            Err(unreached) => Err(failed(&unreached)),
        }
    }
}

fn taken(result: Taken) -> AppendEntriesResponse<u64> {
    match result {
        Taken::All(_) => AppendEntriesResponse::Success,
        Taken::Part(part) => AppendEntriesResponse::PartialSuccess(part.last.map(read_log_id)),
        Taken::Conflict(_) => AppendEntriesResponse::Conflict,
        Taken::HigherVote(vote) => AppendEntriesResponse::HigherVote(read_vote(Some(vote))),
    }
}

fn unreachable(answer: Result<Answer, Unreached>) -> RpcError {
    let reason = answer.err().unwrap_or_else(|| Unreached::not_sent("the member is not ready"));
    RPCError::Unreachable(Unreachable::new(&reason))
}

fn failed(reason: &Unreached) -> SnapshotError {
    StreamingError::Network(NetworkError::new(reason))
}
