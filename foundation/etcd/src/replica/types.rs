//! What the Raft library is used with, and its values as messages.
use super::snapshot::Data;
use crate::Error;
use bytes::Bytes;
use openraft::{EmptyNode, EntryPayload, LeaderId};
use std::collections::{BTreeMap, BTreeSet};
use wire::trilby::replication::v1 as message;
use wire::trilby::replication::v1::Outcome;
use wire::trilby::replication::v1::entry::Payload;

/// Encoded [`message::Changes`]: a copy of it shares its bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Encoded(pub(crate) Bytes);

openraft::declare_raft_types!(
    pub(crate) Types:
        D = Encoded,
        R = Vec<Outcome>,
        NodeId = u64,
        Node = EmptyNode,
        SnapshotData = Data,
);

pub(crate) type Entry = openraft::Entry<Types>;
pub(crate) type LogId = openraft::LogId<u64>;
pub(crate) type Membership = openraft::Membership<u64, EmptyNode>;
pub(crate) type Raft = openraft::Raft<Types>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<u64, EmptyNode>;
pub(crate) type StorageError = openraft::StorageError<u64>;
pub(crate) type StoredMembership = openraft::StoredMembership<u64, EmptyNode>;
pub(crate) type Vote = openraft::Vote<u64>;

/// What has been applied to the records.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Applied {
    pub(crate) last: Option<LogId>,
    pub(crate) membership: StoredMembership,
}

impl Applied {
    pub(crate) fn meta(&self) -> SnapshotMeta {
        let snapshot_id = self.last.map(|last| last.to_string()).unwrap_or_default();
        SnapshotMeta { last_log_id: self.last, last_membership: self.membership.clone(), snapshot_id }
    }
}

impl From<&SnapshotMeta> for Applied {
    fn from(meta: &SnapshotMeta) -> Self {
        Self { last: meta.last_log_id, membership: meta.last_membership.clone() }
    }
}

/// Something that a message needs is not in it.
pub(crate) fn damaged() -> Error {
    Error::Damaged("an entry is cut off".to_owned())
}

pub(crate) fn log_id(id: LogId) -> message::LogId {
    message::LogId { term: id.leader_id.term, node: id.leader_id.node_id, index: id.index }
}

pub(crate) fn read_log_id(id: message::LogId) -> LogId {
    LogId { leader_id: LeaderId::new(id.term, id.node), index: id.index }
}

pub(crate) fn vote(vote: Vote) -> message::Vote {
    message::Vote { term: vote.leader_id.term, node: vote.leader_id.node_id, is_committed: vote.committed }
}

/// A vote that is not there is the lowest one.
pub(crate) fn read_vote(vote: Option<message::Vote>) -> Vote {
    let message::Vote { term, node, is_committed } = vote.unwrap_or_default();
    Vote { leader_id: LeaderId::new(term, node), committed: is_committed }
}

pub(crate) fn entry(entry: &Entry) -> message::Entry {
    let payload = match &entry.payload {
        EntryPayload::Blank => None,
        EntryPayload::Normal(Encoded(changes)) => Some(Payload::Changes(changes.clone())),
        EntryPayload::Membership(membership) => Some(Payload::Membership(write_membership(membership))),
    };
    message::Entry { id: Some(log_id(entry.log_id)), payload }
}

pub(crate) fn read_entry(entry: message::Entry) -> Result<Entry, Error> {
    let payload = match entry.payload {
        None => EntryPayload::Blank,
        Some(Payload::Changes(changes)) => EntryPayload::Normal(Encoded(changes)),
        Some(Payload::Membership(membership)) => EntryPayload::Membership(read_membership(membership)),
    };
    Ok(Entry { log_id: read_log_id(entry.id.ok_or_else(damaged)?), payload })
}

pub(crate) fn applied(applied: &Applied) -> message::Applied {
    message::Applied {
        last: applied.last.map(log_id),
        membership_id: applied.membership.log_id().map(log_id),
        membership: Some(write_membership(applied.membership.membership())),
    }
}

pub(crate) fn read_applied(applied: message::Applied) -> Applied {
    let membership = read_membership(applied.membership.unwrap_or_default());
    Applied {
        last: applied.last.map(read_log_id),
        membership: StoredMembership::new(applied.membership_id.map(read_log_id), membership),
    }
}

fn write_membership(membership: &Membership) -> message::Membership {
    let voters = membership.get_joint_config().iter();
    message::Membership {
        voters: voters.map(|voters| message::Voters { nodes: voters.iter().copied().collect() }).collect(),
        nodes: membership.nodes().map(|(node, _)| *node).collect(),
    }
}

fn read_membership(membership: message::Membership) -> Membership {
    let voters = membership.voters.into_iter().map(|voters| voters.nodes.into_iter().collect::<BTreeSet<_>>());
    let nodes: BTreeMap<_, _> = membership.nodes.into_iter().map(|node| (node, EmptyNode {})).collect();
    Membership::new(voters.collect(), nodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_same_after_a_journey() {
        let id = LogId { leader_id: LeaderId::new(3, 7), index: 9 };
        let nodes: BTreeMap<_, _> = [7, 8].map(|node| (node, EmptyNode {})).into();
        let membership = Membership::new(vec![[7].into(), [7, 8].into()], nodes);
        let payloads = [
            EntryPayload::Blank,
            EntryPayload::Normal(Encoded("changes".into())),
            EntryPayload::Membership(membership.clone()),
        ];
        for payload in payloads {
            let written = Entry { log_id: id, payload };
            assert!(read_entry(entry(&written)).unwrap() == written);
        }
        let state = Applied { last: Some(id), membership: StoredMembership::new(Some(id), membership) };
        assert_eq!(read_applied(applied(&state)), state);
        assert_eq!(read_vote(Some(vote(Vote::new_committed(2, 7)))), Vote::new_committed(2, 7));
        assert!(read_entry(message::Entry::default()).is_err());
    }
}
