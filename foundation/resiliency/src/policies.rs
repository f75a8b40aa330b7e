//! The policies of all targets: one snapshot, made from all Resiliency resources.
use crate::breaker::{Breaker, BreakerPolicy};
use crate::breakers::{Breakers, at_least_one};
use crate::names::{BuiltIn, ComponentKind, Direction, Level};
use crate::observer::{Observer, Source};
use crate::policy::Policy;
use crate::tables::{Chosen, Invalid, Tables};
use crate::target::{ActorType, App, Component, OF_APP, check};
use crate::undefined::undefined;
use foundation_resources as resource;
use foundation_telemetry::Metrics;
use lru::LruCache;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

const SCOPE: &str = "dapr.runtime";
/// Breakers kept for components.
const OF_COMPONENTS: usize = 4096;
/// Apps and actor types that no resource lists, for which breakers are kept.
const UNLISTED: usize = 1024;

/// The policies of all targets.
#[derive(Debug)]
pub struct Policies {
    tables: Tables,
    apps: HashMap<String, App>,
    actors: HashMap<String, ActorType>,
    components: HashMap<String, Component>,
    defaults: HashMap<Level, Chosen>,
    of_components: Breakers,
    of_unlisted: Mutex<LruCache<(Level, String), Arc<Breakers>>>,
    built_in: HashMap<BuiltIn, Policy>,
    source: Arc<Source>,
}

impl Default for Policies {
    /// Only the built-in policies.
    fn default() -> Self {
        Self::load([], &Metrics::disabled())
    }
}

impl Policies {
    /// Makes policies of resources. One that is invalid is logged and left out as a whole. What the policies do is
    /// counted under the name of the last resource.
    pub fn load<'a>(resources: impl IntoIterator<Item = &'a resource::Resiliency>, metrics: &Metrics) -> Self {
        let (mut tables, mut targets) = (Tables::default(), Vec::new());
        let mut source = Source { metrics: metrics.clone(), ..Source::default() };
        for resource in resources {
            let resource::ObjectMeta { name, namespace, .. } = &resource.metadata;
            tracing::info!(target: SCOPE, "Loading Resiliency configuration: {name}");
            match with(&tables, resource) {
                Ok(all) => {
                    tables = all;
                    targets.push((name, &resource.spec.targets));
                    metrics.resiliency_loaded(name, namespace);
                    (source.resource, source.namespace) = (name.clone(), namespace.clone());
                }
                Err(error) => tracing::error!(target: SCOPE, "Could not read resiliency policy {name}: {error}"),
            }
        }
        for (name, problem) in
            targets.iter().flat_map(|(name, one)| undefined(&tables, one).into_iter().map(move |one| (name, one)))
        {
            tracing::warn!(target: SCOPE, "Resiliency {name}: {problem}");
        }
        Self::of(tables, targets.into_iter().map(|(_, targets)| targets), source)
    }

    fn of<'a>(tables: Tables, targets: impl Iterator<Item = &'a resource::Targets>, source: Source) -> Self {
        let mut policies = Self {
            apps: HashMap::new(),
            actors: HashMap::new(),
            components: HashMap::new(),
            defaults: Level::all().map(|level| (level, tables.choose_default(level))).collect(),
            of_components: Breakers::new(at_least_one(OF_COMPONENTS)),
            of_unlisted: Mutex::new(LruCache::new(at_least_one(UNLISTED))),
            built_in: BuiltIn::ALL.map(|one| (one, built_in(&tables, one))).into(),
            source: Arc::new(source),
            tables,
        };
        targets.for_each(|targets| policies.list(targets));
        policies
    }

    fn list(&mut self, targets: &resource::Targets) {
        for (name, names) in &targets.apps {
            self.apps.insert(name.clone(), App::of(&self.tables, names));
        }
        for (name, names) in &targets.actors {
            self.actors.insert(name.clone(), ActorType::of(&self.tables, names));
        }
        for (name, both) in &targets.components {
            self.components.insert(name.clone(), Component::of(&self.tables, both));
        }
    }

    /// For a call of an app or an HTTPEndpoint; each `endpoint` of it has a circuit breaker of its own.
    pub fn app(&self, app: &str, endpoint: fmt::Arguments<'_>) -> Policy {
        let observer = || self.observer(format!("app_{app}"), Direction::Outbound);
        let found = match self.apps.get(app) {
            Some(App { chosen, breakers }) => {
                policy(chosen, |policy| breakers.get(endpoint.to_string(), policy), observer)
            }
            None => self.unlisted(Level::App, app, endpoint, observer),
        };
        found.counted()
    }

    /// Whether a resource lists the app.
    pub fn lists_app(&self, app: &str) -> bool {
        self.apps.contains_key(app)
    }

    /// For a call of an actor, until it is its turn: without a timeout, as the turn is waited for.
    pub fn actor_before_turn(&self, actor_type: &str, id: &str) -> Policy {
        let observer = || self.observer(format!("actor_{actor_type}"), Direction::Outbound);
        let found = match self.actors.get(actor_type) {
            Some(target) => {
                let breaker = |policy: &_| target.breakers.get(target.breaker_name(actor_type, id), policy);
                policy(&target.chosen, breaker, observer)
            }
            None => self.unlisted(Level::Actor, actor_type, format_args!("{actor_type}"), observer),
        };
        Policy { timeout: None, ..found }.counted()
    }

    /// For a call of an actor whose turn it is: only the timeout.
    pub fn actor_in_turn(&self, actor_type: &str) -> Policy {
        let listed = self.actors.get(actor_type).map(|target| &target.chosen);
        let Some(timeout) = self.or_default(listed, Level::Actor).timeout else { return Policy::default() };
        let observer = self.observer(format!("actor_{actor_type}"), Direction::Outbound);
        Policy { timeout: Some(timeout), observer, ..Policy::default() }.counted()
    }

    /// Whether a resource lists the actor type.
    pub fn lists_actor(&self, actor_type: &str) -> bool {
        self.actors.contains_key(actor_type)
    }

    /// For what comes from a component or goes to it.
    pub fn component(&self, name: &str, kind: ComponentKind, direction: Direction) -> Policy {
        let listed = self.components.get(name).map(|component| component.chosen(direction));
        let chosen = self.or_default(listed, Level::Component(kind, direction));
        let observer = || self.observer(format!("{}_{name}", kind.as_str()), direction);
        let of_policy = chosen.breaker.as_ref().map_or("", |(name, _)| name);
        policy(chosen, |policy| self.of_components.get(format!("{of_policy}-{name}"), policy), observer).counted()
    }

    /// A policy that is always there.
    pub fn built_in(&self, built_in: BuiltIn) -> Policy {
        self.built_in.get(&built_in).cloned().unwrap_or_default()
    }

    fn observer(&self, target: String, direction: Direction) -> Observer {
        Observer::new(&self.source, target, direction)
    }

    fn or_default<'a>(&'a self, listed: Option<&'a Chosen>, level: Level) -> &'a Chosen {
        listed.or_else(|| self.defaults.get(&level)).unwrap_or(Chosen::NONE)
    }

    fn unlisted(
        &self,
        level: Level,
        name: &str,
        endpoint: fmt::Arguments<'_>,
        observer: impl FnOnce() -> Observer,
    ) -> Policy {
        let breaker = |policy: &_| self.breakers_of_unlisted(level, name).get(endpoint.to_string(), policy);
        policy(self.or_default(None, level), breaker, observer)
    }

    fn breakers_of_unlisted(&self, level: Level, name: &str) -> Arc<Breakers> {
        let mut all = self.of_unlisted.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || Arc::new(Breakers::new(at_least_one(OF_APP)));
        Arc::clone(all.get_or_insert((level, name.to_owned()), made))
    }
}

/// The tables with the policies of a resource, whose targets are fine too.
fn with(tables: &Tables, resource: &resource::Resiliency) -> Result<Tables, Invalid> {
    let mut all = tables.clone();
    all.add(&resource.spec.policies)?;
    check(&resource.spec.targets)?;
    Ok(all)
}

/// Built-in policies are not counted.
fn built_in(tables: &Tables, built_in: BuiltIn) -> Policy {
    let observer = Observer::new(&Arc::default(), built_in.as_str().to_owned(), Direction::Outbound);
    Policy { retry: tables.built_in(built_in), observer, ..Policy::default() }
}

fn policy(
    chosen: &Chosen,
    breaker: impl FnOnce(&Arc<BreakerPolicy>) -> Arc<Breaker>,
    observer: impl FnOnce() -> Observer,
) -> Policy {
    if chosen.is_empty() {
        return Policy::default();
    }
    Policy {
        timeout: chosen.timeout,
        retry: chosen.retry.clone(),
        breaker: chosen.breaker.as_ref().map(|(_, policy)| breaker(policy)),
        observer: observer(),
    }
}

#[cfg(test)]
mod tests;
