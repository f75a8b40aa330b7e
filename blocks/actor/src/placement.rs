//! Where actors live, as the placement service told last, and who may act on it (protocols.md 1.3).
//!
//! A call that is served here holds a [`Claim`] of its actor type. When the hosts of a type change, new calls wait until all
//! sidecars have the new tables, and those that hold a claim get some time to end.
mod backoff;
mod claims;
mod client;
mod session;
mod tables;

pub(crate) use claims::Claim;
pub(crate) use client::{Client, Report};

use crate::error::Error;
use crate::model::ActorKey;
use crate::ring::Host;
use crate::watched::Watched;
use claims::Claims;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tables::Tables;
use tokio::sync::watch;
use wire::placement::v1::PlacementTables;

/// Where an actor lives.
#[derive(Debug)]
pub(crate) enum Owner {
    /// Here; calls run under the claim.
    Local(Claim),
    Remote(Arc<Host>),
}

/// The tables, and what they are good for at this moment.
#[derive(Debug)]
pub(crate) struct Placement {
    /// Name of this sidecar on the rings.
    own: String,
    view: Watched<View>,
    /// Of the view, for those who look at nothing else.
    readiness: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct View {
    tables: Tables,
    /// Of calls that run here, by actor type.
    claims: BTreeMap<String, Claims>,
    /// The service is connected and has sent tables.
    open: bool,
    /// Types whose hosts are changing.
    blocked: BTreeSet<String>,
    /// A round has ended since the service was connected.
    ready: bool,
    ended: bool,
}

impl View {
    fn find(&self, actor: &ActorKey, own: &str) -> Option<Result<Owner, Error>> {
        if self.ended {
            return Some(Err(Error::Closed));
        }
        if !self.answers(&actor.actor_type) {
            return None;
        }
        let owner = self.tables.owner(actor);
        Some(match (owner, self.claims.get(&actor.actor_type)) {
            (Some(host), Some(claims)) if host.name == own => Ok(Owner::Local(claims.take())),
            (Some(host), _) => Ok(Owner::Remote(Arc::clone(host))),
            (None, _) => Err(Error::NoAddress(actor.clone())),
        })
    }

    /// Whether all sidecars have the same hosts of a type.
    fn is_settled(&self, actor_type: &str) -> bool {
        self.open && !self.blocked.contains(actor_type)
    }

    fn answers(&self, actor_type: &str) -> bool {
        self.ended || self.is_settled(actor_type)
    }
}

impl Placement {
    /// `own` is the name of this sidecar on the rings.
    pub(crate) fn new(own: String) -> Self {
        Self { own, view: Watched::default(), readiness: watch::Sender::new(false) }
    }

    /// Where an actor lives; waits while that is not settled.
    ///
    /// # Errors
    /// [`Error::NoAddress`], and [`Error::Closed`] when this sidecar ends.
    pub(crate) async fn owner(&self, actor: &ActorKey) -> Result<Owner, Error> {
        self.view.until(|view| view.find(actor, &self.own)).await
    }

    /// Waits until a host does not serve a type any more, and all sidecars know it. It had time to end what it served.
    pub(crate) async fn until_left(&self, actor_type: &str, host: &str) {
        let has_left = |view: &View| view.is_settled(actor_type) && !view.tables.has(actor_type, host);
        self.view.until(|view| has_left(view).then_some(())).await;
    }

    /// Name of this sidecar on the rings.
    pub(crate) fn own(&self) -> &str {
        &self.own
    }

    /// Names of all hosts of a type, by the newest tables.
    pub(crate) fn hosts_of(&self, actor_type: &str) -> Vec<String> {
        self.view.read(|view| view.tables.hosts(actor_type))
    }

    /// Whether the newest tables say that an actor lives here.
    pub(crate) fn is_own(&self, actor: &ActorKey) -> bool {
        self.view.read(|view| view.tables.owner(actor).is_some_and(|host| host.name == self.own))
    }

    /// Whether the service is connected and this sidecar in step with the others.
    pub(crate) fn is_ready(&self) -> bool {
        self.view.read(|view| view.ready)
    }

    /// Whether it is, and changes of it.
    pub(crate) fn readiness(&self) -> watch::Receiver<bool> {
        self.readiness.subscribe()
    }

    /// Waits until this sidecar is in step with the others for the first time.
    pub(crate) async fn until_ready(&self) {
        self.view.until(|view| (view.ready || view.ended).then_some(())).await;
    }

    /// Takes new tables over, and makes new calls of the types that change wait. Returns those types with the claims of
    /// calls that run by the old tables.
    pub(crate) fn install(&self, tables: PlacementTables) -> Vec<(String, Claims)> {
        let mut old = Vec::new();
        self.view.change(|view| {
            let types: Vec<String> = tables.entries.keys().cloned().collect();
            let changed = view.tables.replace(tables);
            old.extend(changed.iter().filter_map(|actor_type| view.claims.remove_entry(actor_type)));
            for actor_type in types {
                view.claims.entry(actor_type).or_default();
            }
            view.blocked.extend(changed);
            view.open = true;
        });
        old
    }

    /// Types that have changed since the last round.
    fn changing(&self) -> Vec<String> {
        self.view.read(|view| view.blocked.iter().cloned().collect())
    }

    /// All sidecars have the tables.
    pub(crate) fn release(&self) {
        self.view.change(|view| {
            view.blocked.clear();
            view.ready = true;
        });
        self.tell();
    }

    /// The service is gone: nobody knows any more what the others think. Returns the claims of calls that run.
    fn lose(&self) -> Vec<(String, Claims)> {
        let mut old = Vec::new();
        self.view.change(|view| {
            (view.open, view.ready) = (false, false);
            view.blocked.clear();
            // What comes next may look the same, and yet others have had the actors meanwhile: all of it is a change.
            view.tables.clear();
            for (actor_type, claims) in &mut view.claims {
                old.push((actor_type.clone(), std::mem::take(claims)));
            }
        });
        self.tell();
        old
    }

    /// This sidecar ends: nobody waits any more.
    pub(crate) fn end(&self) {
        self.view.change(|view| (view.ended, view.ready) = (true, false));
        self.tell();
    }

    fn tell(&self) {
        let ready = self.is_ready();
        self.readiness.send_if_modified(|told| std::mem::replace(told, ready) != ready);
    }
}
