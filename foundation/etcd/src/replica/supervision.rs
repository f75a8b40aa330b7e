//! Looks at what a member is, tells of it, and ends leases while it leads.
use super::{Replica, SCOPE};
use foundation_drain::Drain;
use openraft::error::Fatal;
use openraft::{EmptyNode, RaftMetrics, ServerState};
use std::time::Duration;
use tokio::time::sleep;
use wire::trilby::replication::v1::Change;
use wire::trilby::replication::v1::change::Change as Kind;

/// A leader that has heard nothing of most members for so long has lost them.
const SILENCE: Duration = Duration::from_secs(3);
/// Before a lease is ended again that could not be.
const PAUSE: Duration = Duration::from_millis(500);

type Metrics = RaftMetrics<u64, EmptyNode>;

/// What was told last.
#[derive(Default, PartialEq, Eq)]
struct Told {
    term: u64,
    leader: Option<u64>,
    has_quorum: bool,
}

/// Goes on until the drain stops, or the member cannot go on: then the drain fails.
pub(crate) async fn run(replica: &Replica, drain: &Drain) {
    let mut metrics = replica.raft.metrics();
    let (mut told, mut led) = (Told { has_quorum: true, ..Told::default() }, None);
    loop {
        let now = metrics.borrow_and_update().clone();
        match &now.running_state {
            Ok(()) => {}
            Err(Fatal::Stopped) => return drain.stop(),
            Err(fatal) => return drain.fail(cannot_go_on(replica, fatal)),
        }
        tell(replica, &now, &mut told);
        let leads = (now.state == ServerState::Leader).then_some(now.current_term);
        if leads.is_some() && leads != led {
            // Whoever led before has not told when their holders were last there.
            replica.shared.leases.extend();
        }
        led = leads;
        tokio::select! {
            changed = metrics.changed() => if changed.is_err() { return },
            () = end_lease(replica), if leads.is_some() => {}
        }
    }
}

fn cannot_go_on(replica: &Replica, fatal: &Fatal<u64>) -> String {
    let folder = replica.shared.database.folder().display();
    format!("this member of the cluster, with its files in {folder}, cannot go on: {fatal}")
}

async fn end_lease(replica: &Replica) {
    let id = replica.shared.leases.expired().await;
    let change = Change { change: Some(Kind::EndLease(id)) };
    if replica.propose(vec![change], true).await.is_err() {
        sleep(PAUSE).await;
    }
}

fn tell(replica: &Replica, now: &Metrics, told: &mut Told) {
    let silence = now.millis_since_quorum_ack.map_or(Duration::ZERO, Duration::from_millis);
    let has_quorum = now.state != ServerState::Leader || silence < SILENCE;
    let next = Told { term: now.current_term, leader: now.current_leader, has_quorum };
    if next == *told {
        return;
    }
    match now.current_leader {
        Some(leader) if (leader, next.term) != (told.leader.unwrap_or_default(), told.term) => {
            tracing::info!(target: SCOPE, "{} leads the cluster, in term {}", replica.members.name(leader), next.term);
        }
        None if told.leader.is_some() => {
            tracing::warn!(target: SCOPE, "no member leads the cluster: an election has begun, in term {}", next.term);
        }
        _ => {}
    }
    match (told.has_quorum, has_quorum) {
        (true, false) => {
            tracing::error!(target: SCOPE, "most members of the cluster cannot be reached: nothing can be written")
        }
        (false, true) => tracing::info!(target: SCOPE, "most members of the cluster can be reached again"),
        _ => {}
    }
    *told = next;
}
