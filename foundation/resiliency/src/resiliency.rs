//! The handle that blocks hold: the policies of this moment, which may be replaced as a whole.
use crate::names::{BuiltIn, ComponentKind, Direction};
use crate::policies::Policies;
use crate::policy::Policy;
use arc_swap::ArcSwap;
use std::fmt;
use std::sync::Arc;

/// Finds the policy of a call. Clones share the same policies; the default has only the built-in ones.
#[derive(Clone, Debug, Default)]
pub struct Resiliency(Arc<ArcSwap<Policies>>);

impl Resiliency {
    /// A handle on these policies.
    pub fn new(policies: Policies) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(policies)))
    }

    /// Calls that start from now on are made by these policies; circuit breakers start closed.
    pub fn replace(&self, policies: Policies) {
        self.0.store(Arc::new(policies));
    }

    /// For a call of an app or an HTTPEndpoint; each `endpoint` of it has a circuit breaker of its own.
    pub fn app(&self, app: &str, endpoint: fmt::Arguments<'_>) -> Policy {
        self.0.load().app(app, endpoint)
    }

    /// Whether a resource lists the app.
    pub fn lists_app(&self, app: &str) -> bool {
        self.0.load().lists_app(app)
    }

    /// For a call of an actor, until it is its turn: without a timeout, as the turn is waited for.
    pub fn actor_before_turn(&self, actor_type: &str, id: &str) -> Policy {
        self.0.load().actor_before_turn(actor_type, id)
    }

    /// For a call of an actor whose turn it is: only the timeout.
    pub fn actor_in_turn(&self, actor_type: &str) -> Policy {
        self.0.load().actor_in_turn(actor_type)
    }

    /// Whether a resource lists the actor type.
    pub fn lists_actor(&self, actor_type: &str) -> bool {
        self.0.load().lists_actor(actor_type)
    }

    /// For a call of a component.
    pub fn outbound(&self, component: &str, kind: ComponentKind) -> Policy {
        self.0.load().component(component, kind, Direction::Outbound)
    }

    /// For a call of the app with what came from a component.
    pub fn inbound(&self, component: &str, kind: ComponentKind) -> Policy {
        self.0.load().component(component, kind, Direction::Inbound)
    }

    /// A policy that is always there.
    pub fn built_in(&self, built_in: BuiltIn) -> Policy {
        self.0.load().built_in(built_in)
    }
}
