//! The actor types that are hosted here, and their active actors.
mod halting;
#[cfg(test)]
mod tests;

pub(crate) use halting::PATIENCE;

use crate::actor::Actor;
use crate::app::{App, Failure};
use crate::errand::Errand;
use crate::hosting::TypeSettings;
use crate::idle::Idle;
use crate::model::{ActorKey, Answer};
use crate::turns::{Reentrancy, Refused};
use arc_swap::ArcSwap;
use foundation_drain::Drain;
use foundation_telemetry::Metrics;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

const SCOPE: &str = "dapr.runtime.actors.targets.app";

/// A type that is hosted here.
pub(crate) struct HostedType {
    name: Arc<str>,
    settings: TypeSettings,
    app: Arc<dyn App>,
    /// They stay when the type is registered anew.
    actors: Arc<Mutex<BTreeMap<Arc<str>, Arc<Actor>>>>,
}

impl HostedType {
    fn actors(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<Actor>>> {
        self.actors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a call was not served by an actor here, or not to its end.
#[derive(Clone, Debug)]
pub(crate) enum Unserved {
    /// Its type is not hosted here.
    NotHosted(String),
    /// The actor was deactivated before it was the call's turn, or during it.
    Gone,
    TooDeep,
    App(Failure),
}

/// An actor and its type, which may not be registered any more.
type Hosted = (Arc<HostedType>, Arc<Actor>);
type Types = BTreeMap<String, Arc<HostedType>>;

/// The types that are hosted here.
pub(crate) struct Hosts {
    types: ArcSwap<Types>,
    /// Names of the types, as the placement service is to know them.
    told: watch::Sender<Vec<String>>,
    /// Without a state store nothing is hosted, whatever the app says.
    suspended: AtomicBool,
    /// This sidecar ends: nothing is told to be hosted, while calls are served as long as nobody else does.
    withdrawn: AtomicBool,
    emptied: Notify,
    idle: Idle,
    start: Instant,
    metrics: Metrics,
    drain: Drain,
}

impl Hosts {
    pub(crate) fn new(metrics: Metrics, drain: &Drain) -> Self {
        Self {
            types: ArcSwap::default(),
            told: watch::Sender::new(Vec::new()),
            suspended: AtomicBool::new(true),
            withdrawn: AtomicBool::new(false),
            emptied: Notify::new(),
            idle: Idle::default(),
            start: Instant::now(),
            metrics,
            drain: drain.clone(),
        }
    }

    /// Hosts types from now on; those that are hosted already get other settings.
    pub(crate) fn register(&self, types: BTreeMap<String, TypeSettings>, app: &Arc<dyn App>) {
        self.types.rcu(|old| {
            let mut all = Types::clone(old);
            for (name, settings) in &types {
                let actors = old.get(name).map(|known| Arc::clone(&known.actors)).unwrap_or_default();
                let hosted =
                    HostedType { name: name.as_str().into(), settings: *settings, app: Arc::clone(app), actors };
                all.insert(name.clone(), Arc::new(hosted));
            }
            all
        });
        self.tell();
    }

    /// Hosts types no more; their actors are deactivated.
    pub(crate) async fn unregister(self: &Arc<Self>, names: &[String]) {
        let old = self.types.rcu(|old| {
            let mut all = Types::clone(old);
            all.retain(|name, _| !names.contains(name));
            all
        });
        self.tell();
        let gone = old.iter().filter(|(name, _)| names.contains(name)).flat_map(|(_, hosted)| all_of(hosted));
        self.halt_these(gone.collect(), Instant::now() + PATIENCE).await;
    }

    /// Hosts nothing for now; actors are deactivated.
    pub(crate) async fn suspend(self: &Arc<Self>) {
        self.suspended.store(true, Ordering::Relaxed);
        self.tell();
        self.halt_all().await;
    }

    /// Hosts what is registered.
    pub(crate) fn resume(&self) {
        self.suspended.store(false, Ordering::Relaxed);
        self.tell();
    }

    /// Lets others take over what is hosted here.
    pub(crate) fn withdraw(&self) {
        self.withdrawn.store(true, Ordering::Relaxed);
        self.tell();
    }

    /// Resolves when no actor is active.
    pub(crate) async fn until_empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.counts().values().all(|count| *count == 0) {
                return;
            }
            emptied.await;
        }
    }

    /// Tells those who follow [`Hosts::types`].
    fn tell(&self) {
        let hides = self.is_suspended() || self.withdrawn.load(Ordering::Relaxed);
        let names = if hides { Vec::new() } else { self.types.load().keys().cloned().collect() };
        self.told.send_if_modified(|told| {
            let is_new = *told != names;
            *told = names;
            is_new
        });
    }

    /// Names of the types that are hosted, and changes of them.
    pub(crate) fn types(&self) -> watch::Receiver<Vec<String>> {
        self.told.subscribe()
    }

    pub(crate) fn is_hosted(&self, actor_type: &str) -> bool {
        !self.is_suspended() && self.types.load().contains_key(actor_type)
    }

    /// How calls of a type may come back to their actors.
    pub(crate) fn reentrancy(&self, actor_type: &str) -> Reentrancy {
        self.types.load().get(actor_type).map(|hosted| hosted.settings.reentrancy).unwrap_or_default()
    }

    /// How long calls of a type may take to end when its hosts change.
    pub(crate) fn drain_patience(&self, actor_type: &str) -> Duration {
        let settings = self.types.load().get(actor_type).map(|hosted| hosted.settings);
        settings.unwrap_or_default().drain_timeout
    }

    /// Active actors of each type, registered types without any included.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        self.types.load().iter().map(|(name, hosted)| (name.clone(), hosted.actors().len())).collect()
    }

    /// Active actors of a type that come after an id; and whether there are no more.
    pub(crate) fn page(&self, actor_type: &str, after: &str, limit: usize) -> (Vec<Arc<Actor>>, bool) {
        let Some(hosted) = self.types.load().get(actor_type).cloned() else { return (Vec::new(), true) };
        let actors = hosted.actors();
        let mut following = actors.range::<str, _>((Bound::Excluded(after), Bound::Unbounded));
        let page = following.by_ref().take(limit).map(|(_, actor)| Arc::clone(actor)).collect();
        (page, following.next().is_none())
    }

    /// How long an actor has not been used.
    pub(crate) fn unused(&self, actor: &Actor) -> Duration {
        Duration::from_millis(self.now().saturating_sub(actor.last_used()))
    }

    /// An actor, if it is active.
    pub(crate) fn active(&self, actor: &ActorKey) -> Option<Arc<Actor>> {
        self.types.load().get(&actor.actor_type)?.actors().get(actor.id.as_str()).cloned()
    }

    /// Hands an errand to the app when it is its turn; the actor is activated if need be.
    pub(crate) async fn in_turn(&self, errand: Errand<'_>) -> Result<Answer, Unserved> {
        let key = errand.actor();
        let (hosted, actor) = self.activate(key)?;
        let Reentrancy { enabled, max_stack_depth } = hosted.settings.reentrancy;
        let waiting = Waiting::new(&self.metrics, &key.actor_type);
        let turn = actor.turn(errand.chain_id().filter(|_| enabled), max_stack_depth).await;
        drop(waiting);
        let _turn = match turn {
            Ok(turn) => turn,
            Err(Refused::TooDeep) => return Err(Unserved::TooDeep),
            Err(Refused::Closed) => {
                actor.gone().await;
                return Err(Unserved::Gone);
            }
        };
        actor.touch(self.now());
        tokio::select! {
            biased;
            done = errand.deliver(&*hosted.app) => done.map_err(Unserved::App),
            () = actor.closing() => Err(Unserved::Gone),
        }
    }

    fn activate(&self, key: &ActorKey) -> Result<(Arc<HostedType>, Arc<Actor>), Unserved> {
        let hosted = self.types.load().get(&key.actor_type).filter(|_| !self.is_suspended()).cloned();
        let hosted = hosted.ok_or_else(|| Unserved::NotHosted(key.actor_type.clone()))?;
        let mut actors = hosted.actors();
        if let Some(actor) = actors.get(key.id.as_str()).cloned() {
            drop(actors);
            return Ok((hosted, actor));
        }
        let id: Arc<str> = key.id.as_str().into();
        let actor = Arc::new(Actor::new(Arc::clone(&hosted.name), Arc::clone(&id), self.now()));
        actors.insert(Arc::clone(&id), Arc::clone(&actor));
        drop(actors);
        if !self.still_hosts(&hosted) {
            // Who gave up the type meanwhile may not have seen this actor, and nobody would ever end it.
            hosted.actors().remove(&id);
            return Err(Unserved::NotHosted(key.actor_type.clone()));
        }
        self.look_at_in(&actor, hosted.settings.idle_timeout);
        Ok((hosted, actor))
    }

    /// Whether a type is registered and has not been given up since.
    fn still_hosts(&self, hosted: &HostedType) -> bool {
        let types = self.types.load();
        let known = types.get(&*hosted.name).filter(|known| Arc::ptr_eq(&known.actors, &hosted.actors));
        known.is_some() && !self.is_suspended()
    }

    /// A time too far away to be told never comes.
    fn look_at_in(&self, actor: &Arc<Actor>, time: Duration) {
        if let Some(at) = Instant::now().checked_add(time) {
            self.idle.add(actor, at);
        }
    }

    /// Deactivates actors that were not used for long enough; ends only when it is dropped.
    pub(crate) async fn watch_idle(self: &Arc<Self>) {
        loop {
            let actor = self.idle.next().await;
            let Some(hosted) = self.types.load().get(&*actor.actor_type).cloned() else { continue };
            let idle_timeout = hosted.settings.idle_timeout;
            let unused = self.unused(&actor);
            if let Some(left) = idle_timeout.checked_sub(unused).filter(|left| !left.is_zero()) {
                self.look_at_in(&actor, left);
            } else if actor.close_if_idle() {
                tracing::debug!(target: SCOPE, "Actor {} is idle, deactivating", actor.key());
                self.drain.spawn(Arc::clone(self).let_go_alone((hosted, actor)));
            } else {
                self.look_at_in(&actor, idle_timeout.max(Duration::from_millis(1)));
            }
        }
    }

    fn is_suspended(&self) -> bool {
        self.suspended.load(Ordering::Relaxed)
    }

    /// Milliseconds since this was made.
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

fn all_of(hosted: &Arc<HostedType>) -> Vec<Hosted> {
    hosted.actors().values().map(|actor| (Arc::clone(hosted), Arc::clone(actor))).collect()
}

/// A call that waits for its turn, for the metric that counts them.
struct Waiting<'a> {
    metrics: &'a Metrics,
    actor_type: &'a str,
}

impl<'a> Waiting<'a> {
    fn new(metrics: &'a Metrics, actor_type: &'a str) -> Self {
        metrics.actor_pending_calls(actor_type, 1);
        Self { metrics, actor_type }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.metrics.actor_pending_calls(self.actor_type, -1);
    }
}
