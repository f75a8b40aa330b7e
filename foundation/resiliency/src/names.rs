//! The names by which policies are found: of component kinds, built-in policies and defaults (surface.md 6.3).

/// What a component is for; part of the names of default policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ComponentKind {
    Binding,
    Configuration,
    Conversation,
    Crypto,
    Lock,
    Pubsub,
    SecretStore,
    StateStore,
}

impl ComponentKind {
    pub(crate) const ALL: [Self; 8] = [
        Self::Binding,
        Self::Configuration,
        Self::Conversation,
        Self::Crypto,
        Self::Lock,
        Self::Pubsub,
        Self::SecretStore,
        Self::StateStore,
    ];

    /// The name that policies and metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Binding => "Binding",
            Self::Configuration => "Configuration",
            Self::Conversation => "Conversation",
            Self::Crypto => "Crypto",
            Self::Lock => "Lock",
            Self::Pubsub => "Pubsub",
            Self::SecretStore => "Secretstore",
            Self::StateStore => "Statestore",
        }
    }
}

/// Which way a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From a component to the app.
    Inbound,
    /// From the app to another app, an actor or a component.
    Outbound,
}

impl Direction {
    /// The name that metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// Retry policies that are always there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BuiltIn {
    /// Calls of other sidecars.
    ServiceRetries,
    /// Calls of actors on other hosts.
    ActorRetries,
    /// Registration of reminders.
    ActorReminderRetries,
    /// Calls of an actor whose host is not known yet. Users cannot replace it.
    ActorNotFoundRetries,
    /// What the sidecar asks and loads at its start.
    InitializationRetries,
}

impl BuiltIn {
    pub(crate) const ALL: [Self; 5] = [
        Self::ServiceRetries,
        Self::ActorRetries,
        Self::ActorReminderRetries,
        Self::ActorNotFoundRetries,
        Self::InitializationRetries,
    ];

    /// The name under which a Resiliency resource may replace it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServiceRetries => "DaprBuiltInServiceRetries",
            Self::ActorRetries => "DaprBuiltInActorRetries",
            Self::ActorReminderRetries => "DaprBuiltInActorReminderRetries",
            Self::ActorNotFoundRetries => "DaprBuiltInActorNotFoundRetries",
            Self::InitializationRetries => "DaprBuiltInInitializationRetries",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|built_in| built_in.as_str() == name)
    }
}

/// Whom a default policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Level {
    App,
    Actor,
    Component(ComponentKind, Direction),
}

impl Level {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let component = |kind| [Direction::Inbound, Direction::Outbound].map(|way| Self::Component(kind, way));
        [Self::App, Self::Actor].into_iter().chain(ComponentKind::ALL.into_iter().flat_map(component))
    }

    /// The names of its default policy of a `kind` such as `RetryPolicy`; the first that exists counts.
    pub(crate) fn names(self, kind: &str) -> Vec<String> {
        let name = |level: &str| format!("Default{level}{kind}");
        match self {
            Self::App => vec![name("App"), name("")],
            Self::Actor => vec![name("Actor"), name("")],
            Self::Component(component, direction) => {
                let way = if direction == Direction::Inbound { "Inbound" } else { "Outbound" };
                let general = format!("Component{way}");
                vec![name(&format!("{}{general}", component.as_str())), name(&general), name("Component"), name("")]
            }
        }
    }
}
