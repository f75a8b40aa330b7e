//! Hot reload: resources that change while the sidecar runs (protocols.md 8.2, suite.md 5.1).
//!
//! Components, Subscriptions, MCPServers and WorkflowAccessPolicies change in place; a changed Configuration, HTTPEndpoint
//! or Resiliency starts the sidecar again within the process.
use crate::components::Components;
use crate::declared;
use crate::options::Options;
use crate::resources::{Current, usable_policies, usable_servers};
use crate::stopping::{Ending, Reason};
use crate::watch::Watch;
use block_binding::Reader;
use block_host::{Health, Target};
use block_pubsub::Subscriber;
use block_state::Outbox;
use foundation_drain::Drain;
use foundation_resources::{Component, Diff, Error, Loaded, Resource, Resources, Subscription};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, interval_at, sleep, timeout};

const SCOPE: &str = "dapr.runtime.hotreload";
const RECONCILER: &str = "dapr.runtime.hotreload.reconciler";
/// The feature that switches hot reload on, which it is unless it is switched off.
pub(crate) const FEATURE: &str = "HotReload";
const IN_PLACE: [&str; 4] = ["Component", "Subscription", "MCPServer", "WorkflowAccessPolicy"];
const BY_RESTART: [&str; 3] = ["Configuration", "HTTPEndpoint", "Resiliency"];
const TARGETS: [&str; 7] = [
    "component-reconciler",
    "subscription-reconciler",
    "mcpserver-reconciler",
    "workflowaccesspolicy-reconciler",
    "configuration-sighup-reconciler",
    "httpendpoint-sighup-reconciler",
    "resiliency-sighup-reconciler",
];
/// Pause between two looks at the files though no change was told of, when the flag says 0.
const INTERVAL: Duration = Duration::from_secs(60);
/// How long a change waits for its followers.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pause before the look that tells a file in the middle of being written from one that stays as it is.
const SECOND_LOOK: Duration = Duration::from_secs(1);
const ACTOR_STATE_STORE: &str = "actorStateStore";

/// The parts that have to be ready when resources are reloaded (surface.md 5.4).
pub(crate) fn targets(health: &Health) -> Vec<Target> {
    TARGETS.iter().map(|name| health.target(name)).collect()
}

/// Who follows what components there are.
pub(crate) struct Followers {
    pub(crate) subscriber: Arc<Subscriber>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) actors: Arc<block_actor::Service>,
}

impl Followers {
    /// Returns soon: what a broker is slow to start or end goes on by itself.
    async fn reconcile(&self) {
        let all = async { tokio::join!(self.subscriber.reconcile(), self.reader.reconcile(), self.outbox.reconcile()) };
        // Actors that have begun to end must come to their end.
        let (_, ()) = tokio::join!(timeout(PATIENCE, all), self.actors.store_changed());
    }
}

/// Keeps a sidecar in step with its resource files.
pub(crate) struct Reloader {
    pub(crate) options: Options,
    pub(crate) components: Components,
    pub(crate) followers: Followers,
    pub(crate) current: Current,
    pub(crate) ending: Ending,
    pub(crate) targets: Vec<Target>,
}

impl Reloader {
    /// Watches the files until the drain stops, or until the sidecar has to end.
    pub(crate) fn start(self, drain: &Drain) {
        tracing::info!(target: SCOPE, "Hot reloading enabled. Daprd will reload 'Component', 'Subscription', 'MCPServer', 'Configuration', 'HTTPEndpoint', 'Resiliency' and 'WorkflowAccessPolicy' resources when they are added, updated or deleted.");
        drain.spawn_until_stopped(async move {
            let reason = self.run().await;
            self.ending.say(reason);
        });
    }

    /// Returns why the sidecar has to end.
    async fn run(&self) -> Reason {
        let watch = self.watch();
        let interval = Some(self.options.reconcile_interval).filter(|interval| !interval.is_zero()).unwrap_or(INTERVAL);
        let mut ticks = interval_at(Instant::now() + interval, interval);
        loop {
            // The first look is for what changed before the watch began.
            if let Some(reason) = self.reload().await {
                return reason;
            }
            self.targets.iter().for_each(Target::ready);
            if self.current.get().is_doubtful() {
                sleep(SECOND_LOOK).await;
                continue;
            }
            tokio::select! {
                () = changed(watch.as_ref()) => {}
                _ = ticks.tick() => {
                    watch.iter().for_each(Watch::renew);
                    IN_PLACE.iter().for_each(|kind| tracing::debug!(target: RECONCILER, "Running scheduled {kind} reconcile"));
                }
            }
        }
    }

    fn watch(&self) -> Option<Watch> {
        let folders = &self.options.resources;
        let shown = folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ");
        tracing::info!(target: SCOPE, "Watching directories: [{shown}]");
        let failed = |error: &notify::Error| {
            tracing::error!(target: SCOPE, "cannot watch directories, changes are found with delay; check the limits of inotify: {error}");
        };
        let watch = Watch::start(folders).inspect_err(failed).ok();
        IN_PLACE.iter().for_each(|kind| tracing::info!(target: RECONCILER, "Starting to watch {kind} updates"));
        BY_RESTART
            .iter()
            .for_each(|kind| tracing::info!(target: RECONCILER, "Starting to watch {kind} updates for SIGHUP reload"));
        watch
    }

    /// Brings everything in step with the files as they are now; returns why that is impossible.
    async fn reload(&self) -> Option<Reason> {
        let before = self.current.get();
        let now = match self.current.load(&self.options).await {
            Ok(now) => now,
            Err(error @ Error::Duplicates(_)) => {
                return Some(Reason::Failed(format!("failed to load resources from disk: {error}")));
            }
            Err(error) => {
                tracing::error!(target: SCOPE, "cannot load resources, they stay as they are: {error}");
                return None;
            }
        };
        if needs_restart(&before.resources, &now.resources) {
            return self.restart(&before, &now);
        }
        self.apply(&before, now).await.map_err(|error| Reason::Failed(format!("{error:#}"))).err()
    }

    /// A sidecar does not start with everything that it goes on with: what a mistake in one file has left in place must not end it when
    /// another one changes.
    fn restart(&self, before: &Loaded, now: &Loaded) -> Option<Reason> {
        let Some(obstacle) = self.obstacle(before, now) else { return Some(Reason::Reload) };
        tracing::error!(target: SCOPE, "cannot start anew with the resources as they are now, all stay as they were: {obstacle}");
        None
    }

    /// Why a start with these resources would fail, as far as it can be told.
    fn obstacle(&self, before: &Loaded, now: &Loaded) -> Option<String> {
        let problem = now.problems.iter().find(|problem| problem.is_fatal).map(ToString::to_string);
        let types = || {
            let wanted = now.resources.components.iter().filter(|one| !one.spec.ignore_errors);
            wanted.filter_map(|one| self.components.check_type(one).err()).map(|failure| failure.to_string()).next()
        };
        let rules = || {
            let changes = Diff::between(&before.resources.subscriptions, &now.resources.subscriptions);
            let changed = changes.changed.iter().chain(&changes.added);
            let refusals = changed.filter_map(|one| Subscriber::check(declared::subscription(one)).err());
            refusals.map(|refusal| refusal.to_string()).next()
        };
        problem.or_else(types).or_else(rules)
    }

    async fn apply(&self, before: &Loaded, mut now: Loaded) -> anyhow::Result<()> {
        let resources = &mut now.resources;
        resources.components = self.with_known_types(&before.resources.components, &resources.components);
        resources.components = with_one_actor_store(&before.resources.components, &resources.components);
        let changes = self.component_changes(&before.resources.components, &resources.components).await;
        self.change(&changes).await?;
        if self.declare(&before.resources.subscriptions, &mut resources.subscriptions) {
            self.followers.reconcile().await;
        }
        announce(&Diff::between(&before.resources.mcp_servers, &resources.mcp_servers));
        let servers = std::mem::take(&mut resources.mcp_servers);
        resources.mcp_servers = usable_servers(&before.resources.mcp_servers, servers)?;
        announce(&Diff::between(&before.resources.workflow_access_policies, &resources.workflow_access_policies));
        resources.workflow_access_policies = usable_policies(std::mem::take(&mut resources.workflow_access_policies));
        self.current.set(now);
        Ok(())
    }

    /// The components, where those that are new or another and have a type that is not in this build stay as they were.
    fn with_known_types(&self, before: &[Component], now: &[Component]) -> Vec<Component> {
        let known = |one: &Component| {
            let old = before.iter().find(|old| old.metadata.name == one.metadata.name);
            if old == Some(one) {
                return Some(one.clone());
            }
            let Err(failure) = self.components.check_type(one) else { return Some(one.clone()) };
            let left = if old.is_some() { "it stays as it was" } else { "it is left out" };
            tracing::error!(target: RECONCILER, "Component {} cannot be used, {left}: {failure}", one.log_name());
            old.cloned()
        };
        now.iter().filter_map(known).collect()
    }

    /// What is gone ends first, then what is another comes in the place of what was, then what is new.
    async fn change(&self, changes: &Diff<Component>) -> anyhow::Result<()> {
        announce(changes);
        for gone in &changes.removed {
            self.components.remove(&gone.metadata.name);
            self.followers.reconcile().await;
        }
        for changed in changes.changed.iter().chain(&changes.added) {
            self.components.replace(changed).await?;
            self.followers.reconcile().await;
            tracing::info!(target: RECONCILER, "Component updated: {}", changed.log_name());
        }
        Ok(())
    }

    /// What changes: other content, or the same with secrets that have become others.
    async fn component_changes(&self, before: &[Component], now: &[Component]) -> Diff<Component> {
        let mut changes = Diff::between(before, now);
        for component in now {
            let known = changes.added.contains(component) || changes.changed.contains(component);
            if !known && self.components.is_outdated(component).await {
                changes.changed.push(component.clone());
            }
        }
        changes
    }

    /// Declares subscriptions; one that cannot be used is logged and stays as it was. Returns whether any was changed.
    fn declare(&self, before: &[Subscription], now: &mut Vec<Subscription>) -> bool {
        let changes = Diff::between(before, now);
        announce(&changes);
        changes.removed.iter().for_each(|gone| self.followers.subscriber.undeclare(&gone.metadata.name));
        for changed in changes.changed.iter().chain(&changes.added) {
            let name = &changed.metadata.name;
            match self.followers.subscriber.declare(declared::subscription(changed)) {
                Ok(()) => tracing::info!(target: RECONCILER, "Subscription updated: {name}"),
                Err(error) => {
                    tracing::error!(target: RECONCILER, "Subscription {name} cannot be used and stays as it was: {error}");
                    now.retain(|one| one.metadata.name != *name);
                    now.extend(before.iter().find(|one| one.metadata.name == *name).cloned());
                }
            }
        }
        !changes.is_empty()
    }
}

async fn changed(watch: Option<&Watch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

/// Whether something has changed that cannot change in place.
fn needs_restart(before: &Resources, now: &Resources) -> bool {
    let configuration = announce_restart(&Diff::between(&before.configurations, &now.configurations));
    let endpoints = announce_restart(&Diff::between(&before.http_endpoints, &now.http_endpoints));
    let resiliencies = announce_restart(&Diff::between(&before.resiliencies, &now.resiliencies));
    configuration || endpoints || resiliencies
}

fn announce_restart<T: Resource>(changes: &Diff<T>) -> bool {
    for (event, one) in changes.events() {
        let name = one.log_name();
        tracing::info!(target: RECONCILER, "Received {} {event} event: {name} - triggering SIGHUP reload", T::KIND);
    }
    !changes.is_empty()
}

fn announce<T: Resource>(changes: &Diff<T>) {
    for (event, one) in changes.events() {
        tracing::debug!(target: RECONCILER, "Received {} event {event}: {}", T::KIND, one.log_name());
    }
}

/// The components without those that would become a second actor state store: they stay as they were.
fn with_one_actor_store(before: &[Component], now: &[Component]) -> Vec<Component> {
    let old = |one: &Component| before.iter().find(|old| old.metadata.name == one.metadata.name);
    let holder = now.iter().find(|one| is_actor_store(one) && old(one).is_some_and(is_actor_store));
    let Some(holder) = holder.map(|one| &one.metadata.name) else { return now.to_vec() };
    let allowed = |one: &Component| {
        if !is_actor_store(one) || one.metadata.name == *holder || old(one).is_some_and(is_actor_store) {
            return Some(one.clone());
        }
        tracing::error!(target: RECONCILER, "Skipping hot reload of {}: {holder} is already the actor state store, only one actor state store is allowed. The component will be applied if {holder} is removed", one.log_name());
        old(one).cloned()
    };
    now.iter().filter_map(allowed).collect()
}

fn is_actor_store(component: &Component) -> bool {
    let named = |item: &foundation_resources::NameValue| item.name.eq_ignore_ascii_case(ACTOR_STATE_STORE);
    component.spec.kind.starts_with("state.") && component.spec.metadata.iter().any(named)
}

#[cfg(test)]
mod tests;
