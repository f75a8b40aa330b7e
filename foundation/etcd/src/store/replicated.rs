//! The store of a member of a cluster.
use super::{Settings, Store, Way, shared};
use crate::Error;
use crate::damage::guarded;
use crate::database::Database;
use crate::leases::Left;
use crate::replica::{self, Channels, Members, Peers, Proposal, Replica, Situation, Transport};
use foundation_drain::Drain;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tonic::transport::Channel;
use wire::etcd::etcdserverpb::{RangeRequest, TxnRequest, TxnResponse};
use wire::trilby::replication::v1::change::Change as Kind;
use wire::trilby::replication::v1::{Change, LeaseQuestion, Outcome};

/// The member that a store is. Changes can be proposed as long as somebody holds one.
#[derive(Clone)]
pub(crate) struct Membership {
    pub(crate) replica: Arc<Replica>,
    pub(crate) proposals: mpsc::Sender<Proposal>,
}

impl Store {
    /// Opens the store of a member of a cluster. Each of the others has a channel by its id; [`Peers`] is to be served to them, and
    /// to nobody else.
    ///
    /// # Errors
    /// A folder or file that cannot be used, or that has the store of a single node.
    pub async fn join(
        settings: Settings,
        members: Members,
        channels: HashMap<u64, Channel>,
        drain: &Drain,
    ) -> Result<(Self, Peers), Error> {
        let transport = Channels { cluster: members.cluster(), own: members.own().id, channels };
        let store = Self::join_by(settings, members, Arc::new(transport), drain).await?;
        let peers = store.member().map(|member| replica::peers(Arc::clone(&member.replica)));
        Ok((store, peers.ok_or(Error::Stopped)?))
    }

    pub(crate) async fn join_by(
        settings: Settings,
        members: Members,
        transport: Arc<dyn Transport>,
        drain: &Drain,
    ) -> Result<Self, Error> {
        let (folder, own) = (settings.folder.clone(), (members.cluster(), members.own().id));
        let opened = spawn_blocking(move || {
            replica::begin(&folder)?;
            guarded(&Database::file_in(&folder), || {
                let (database, _) = Database::open(&folder)?;
                let numbers = database.replicate(own)?;
                Ok((database, numbers))
            })
        });
        let (database, numbers) = opened.await.map_err(|_| Error::Stopped)??;
        let shared = Arc::new(shared(&settings, database, numbers, drain));
        let place = (settings.folder.as_path(), settings.quota);
        let (replica, proposals) = Replica::start(place, Arc::clone(&shared), members, transport, drain).await?;
        let way = Way::Replicated(Membership { replica, proposals });
        let store = Self { shared, way, most_operations: settings.most_operations };
        store.clone().watch_over(drain);
        Ok(store)
    }

    pub(crate) fn is_replicated(&self) -> bool {
        self.member().is_some()
    }

    pub(crate) fn member(&self) -> Option<&Membership> {
        match &self.way {
            Way::Alone(_) => None,
            Way::Replicated(member) => Some(member),
        }
    }

    /// Who leads the cluster and how far its log is; none of a single node.
    pub(crate) fn situation(&self) -> Option<Situation> {
        self.member().map(|member| member.replica.situation())
    }

    /// Whether a member leads the cluster as far as this one knows; a single node does.
    pub fn has_leader(&self) -> bool {
        self.situation().is_none_or(|now| now.leader != 0)
    }

    /// Waits until the records have what a request must see.
    pub(super) async fn wait_for(&self, request: &RangeRequest) -> Result<(), Error> {
        let Some(member) = self.member() else { return Ok(()) };
        // What is past does not change.
        let is_past = (1..=self.shared.numbers.borrow().revision).contains(&request.revision);
        if request.serializable || is_past { Ok(()) } else { member.replica.barrier().await }
    }
}

impl Membership {
    pub(super) async fn transact(&self, request: TxnRequest) -> Result<(TxnResponse, i64), Error> {
        let (response, revision) = self.propose(Kind::Transaction(request)).await?;
        Ok((response.unwrap_or_default(), revision))
    }

    pub(super) async fn transact_all(&self, requests: Vec<TxnRequest>) -> Result<Vec<Result<bool, Error>>, Error> {
        let changes = requests.into_iter().map(|request| Change { change: Some(Kind::Transaction(request)) });
        let outcomes = self.replica.propose(changes.collect(), false).await?;
        let held = |response: Option<TxnResponse>| response.is_some_and(|response| response.succeeded);
        Ok(outcomes.into_iter().map(|outcome| read(outcome).map(|(response, _)| held(response))).collect())
    }

    /// Makes a change; returns the revision after it.
    pub(super) async fn change(&self, change: Kind) -> Result<i64, Error> {
        Ok(self.propose(change).await?.1)
    }

    pub(super) async fn lease(&self, id: i64, renews: bool) -> Result<Option<Left>, Error> {
        let answer = self.replica.lease(LeaseQuestion { id, renews }).await?;
        let left = Left { granted: answer.granted, remaining: answer.remaining };
        Ok(Some(left).filter(|left| left.granted > 0))
    }

    async fn propose(&self, change: Kind) -> Result<(Option<TxnResponse>, i64), Error> {
        let mut outcomes = self.replica.propose(vec![Change { change: Some(change) }], false).await?;
        read(outcomes.pop().ok_or(Error::Stopped)?)
    }
}

fn read(outcome: Outcome) -> Result<(Option<TxnResponse>, i64), Error> {
    match outcome.failure {
        Some(failure) => Err(failure.into()),
        None => Ok((outcome.transaction, outcome.revision)),
    }
}

/// A single store must not be opened where one of several has been.
pub(super) fn refuse_member(folder: &Path) -> Result<(), Error> {
    if !replica::is_in(folder) {
        return Ok(());
    }
    let reason = format!(
        "the folder {} has the store of a member of a cluster: name all its members in --etcd-initial-cluster, or use another folder",
        folder.display()
    );
    Err(Error::Storage(reason))
}
