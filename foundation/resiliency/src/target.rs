//! What a resource lists: an app, an actor type or a component with the policies that it uses.
use crate::breakers::{Breakers, at_least_one};
use crate::names::Direction;
use crate::tables::{Chosen, Invalid, Tables};
use foundation_resources as resource;

/// Breakers kept for an app or an actor type, unless its listing says otherwise.
pub(crate) const OF_APP: usize = 100;
const OF_ACTOR_TYPE: usize = 5000;

/// An app or an HTTPEndpoint.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) chosen: Chosen,
    pub(crate) breakers: Breakers,
}

/// An actor type.
#[derive(Debug)]
pub(crate) struct ActorType {
    pub(crate) chosen: Chosen,
    scope: Scope,
    pub(crate) breakers: Breakers,
}

/// A component.
#[derive(Debug)]
pub(crate) struct Component {
    inbound: Chosen,
    outbound: Chosen,
}

/// What has a circuit breaker of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Type,
    Id,
}

impl App {
    pub(crate) fn of(tables: &Tables, names: &resource::EndpointPolicies) -> Self {
        let chosen = tables.choose(&names.timeout, &names.retry, &names.circuit_breaker);
        Self { chosen, breakers: breakers(names.circuit_breaker_cache_size, OF_APP) }
    }
}

impl ActorType {
    pub(crate) fn of(tables: &Tables, names: &resource::ActorPolicies) -> Self {
        let chosen = tables.choose(&names.timeout, &names.retry, &names.circuit_breaker);
        let scope = if names.circuit_breaker_scope == "type" { Scope::Type } else { Scope::Id };
        Self { chosen, scope, breakers: breakers(names.circuit_breaker_cache_size, OF_ACTOR_TYPE) }
    }

    /// Name of the breaker of an actor.
    pub(crate) fn breaker_name(&self, actor_type: &str, id: &str) -> String {
        match self.scope {
            Scope::Type => actor_type.to_owned(),
            Scope::Id => format!("{actor_type}-{id}"),
        }
    }
}

impl Component {
    pub(crate) fn of(tables: &Tables, both: &resource::ComponentPolicies) -> Self {
        let chosen =
            |names: &resource::PolicyNames| tables.choose(&names.timeout, &names.retry, &names.circuit_breaker);
        Self { inbound: chosen(&both.inbound), outbound: chosen(&both.outbound) }
    }

    pub(crate) fn chosen(&self, direction: Direction) -> &Chosen {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }
}

/// Looks for what makes the targets of a resource unusable.
pub(crate) fn check(targets: &resource::Targets) -> Result<(), Invalid> {
    let apps = targets.apps.iter().map(|(name, app)| (name, app.circuit_breaker_cache_size));
    let actors = targets.actors.iter().map(|(name, actor)| (name, actor.circuit_breaker_cache_size));
    if let Some((name, value)) = apps.chain(actors).find(|(_, size)| *size < 0) {
        return Err(Invalid::CacheSize { name: name.clone(), value });
    }
    targets.actors.values().try_for_each(check_scope)
}

fn check_scope(actor: &resource::ActorPolicies) -> Result<(), Invalid> {
    match actor.circuit_breaker_scope.as_str() {
        _ if actor.circuit_breaker.is_empty() => Ok(()),
        "" => Err(Invalid::NoScope),
        "type" | "id" | "both" => Ok(()),
        other => Err(Invalid::Scope(other.to_owned())),
    }
}

fn breakers(written: i64, usual: usize) -> Breakers {
    let size = usize::try_from(written).ok().filter(|size| *size > 0);
    Breakers::new(at_least_one(size.unwrap_or(usual)))
}
