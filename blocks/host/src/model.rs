//! The metadata document (surface.md 1.4): what it tells, as JSON and as a protobuf message.
use serde::Serialize;
use std::collections::BTreeMap;
use wire::runtime::v1;

/// What the document says beside the fixed parts; asked anew for each request.
pub trait Facts: Send + Sync {
    /// Components that run.
    fn components(&self) -> Vec<Component>;

    /// Subscriptions of the app.
    fn subscriptions(&self) -> Vec<Subscription>;

    /// Names of HTTPEndpoint resources.
    fn http_endpoints(&self) -> Vec<String>;

    /// Names of Resiliency resources.
    fn resiliencies(&self) -> Vec<String>;

    /// The actor runtime; without a placement service it is disabled.
    fn actor_runtime(&self) -> ActorRuntime {
        ActorRuntime::default()
    }

    /// Addresses of the schedulers that are connected.
    fn schedulers(&self) -> Vec<String> {
        Vec::new()
    }

    /// Workflow workers that are connected.
    fn workflow_workers(&self) -> i32 {
        0
    }

    /// Names of MCPServer resources.
    fn mcp_servers(&self) -> Vec<String> {
        Vec::new()
    }

    /// Names of WorkflowAccessPolicy resources.
    fn workflow_access_policies(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A component that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Component {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Full type, such as `state.redis`.
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<&'static str>,
}

/// A subscription of the app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Subscription {
    #[serde(rename = "pubsubname")]
    pub pubsub: String,
    pub topic: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    #[serde(rename = "deadLetterTopic")]
    pub dead_letter_topic: String,
    /// `DECLARATIVE`, `PROGRAMMATIC` or `STREAMING`.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

/// A rule of a subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rule {
    #[serde(rename = "match", skip_serializing_if = "String::is_empty")]
    pub expression: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
}

/// State of the actor runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ActorStatus {
    Initializing,
    #[default]
    Disabled,
    Running,
}

/// The actor runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActorRuntime {
    pub runtime_status: ActorStatus,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub active_actors: Vec<ActiveActors>,
    pub host_ready: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub placement: String,
}

impl Default for ActorRuntime {
    fn default() -> Self {
        let placement = "placement: disconnected".to_owned();
        Self { runtime_status: ActorStatus::Disabled, active_actors: Vec::new(), host_ready: false, placement }
    }
}

/// How many actors of a type are active here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ActiveActors {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub count: i32,
}

/// How the app is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AppConnection {
    /// 0 is a sidecar without an app.
    #[serde(skip_serializing_if = "is_zero")]
    pub port: i32,
    pub protocol: &'static str,
    pub channel_address: String,
    /// 0 is without limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_concurrency: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<AppHealth>,
}

/// Health checks of the app; durations as Go prints them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AppHealth {
    /// Empty for gRPC apps.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub health_check_path: String,
    pub health_probe_interval: String,
    pub health_probe_timeout: String,
    pub health_threshold: i32,
}

/// A resource that is listed by its name alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Named {
    pub(crate) name: String,
}

pub(crate) fn named(names: Vec<String>) -> Vec<Named> {
    names.into_iter().map(|name| Named { name }).collect()
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Scheduler {
    /// Go writes this one by its protobuf name.
    pub(crate) connected_addresses: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Workflows {
    pub(crate) connected_workers: i32,
}

/// The whole document. Empty members are left out (surface.md 0.28).
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Document {
    pub(crate) id: String,
    pub(crate) runtime_version: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) enabled_features: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) actors: Vec<ActiveActors>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) components: Vec<Component>,
    pub(crate) extended: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) subscriptions: Vec<Subscription>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) http_endpoints: Vec<Named>,
    pub(crate) app_connection_properties: AppConnection,
    pub(crate) actor_runtime: ActorRuntime,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scheduler: Option<Scheduler>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) workflows: Option<Workflows>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) mcp_servers: Vec<Named>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) workflow_access_policies: Vec<Named>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) resiliencies: Vec<Named>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // The shape that serde asks for.
fn is_zero(number: &i32) -> bool {
    *number == 0
}

impl From<Document> for v1::GetMetadataResponse {
    fn from(document: Document) -> Self {
        let workers = document.workflows.map_or(0, |workflows| workflows.connected_workers);
        let scheduler =
            document.scheduler.map(|one| v1::MetadataScheduler { connected_addresses: one.connected_addresses });
        let name = |named: Named| named.name;
        Self {
            id: document.id,
            active_actors_count: document.actors.into_iter().map(Into::into).collect(),
            registered_components: document.components.into_iter().map(Into::into).collect(),
            extended_metadata: document.extended.into_iter().collect(),
            subscriptions: document.subscriptions.into_iter().map(Into::into).collect(),
            http_endpoints: (document
                .http_endpoints
                .into_iter()
                .map(name)
                .map(|name| v1::MetadataHttpEndpoint { name }))
            .collect(),
            app_connection_properties: Some(document.app_connection_properties.into()),
            runtime_version: document.runtime_version.to_owned(),
            enabled_features: document.enabled_features,
            actor_runtime: Some(document.actor_runtime.into()),
            scheduler,
            workflows: Some(v1::MetadataWorkflows { connected_workers: workers }),
            mcp_servers: document
                .mcp_servers
                .into_iter()
                .map(name)
                .map(|name| v1::MetadataMcpServer { name })
                .collect(),
            workflow_access_policies: (document.workflow_access_policies.into_iter().map(name))
                .map(|name| v1::MetadataWorkflowAccessPolicy { name })
                .collect(),
            resiliencies: document
                .resiliencies
                .into_iter()
                .map(name)
                .map(|name| v1::MetadataResiliency { name })
                .collect(),
        }
    }
}

impl From<ActiveActors> for v1::ActiveActorsCount {
    fn from(actors: ActiveActors) -> Self {
        Self { r#type: actors.kind, count: actors.count }
    }
}

impl From<Component> for v1::RegisteredComponents {
    fn from(component: Component) -> Self {
        let capabilities = component.capabilities.into_iter().map(str::to_owned).collect();
        Self { name: component.name, r#type: component.kind, version: component.version, capabilities }
    }
}

impl From<Subscription> for v1::PubsubSubscription {
    fn from(one: Subscription) -> Self {
        let rule = |rule: Rule| v1::PubsubSubscriptionRule { r#match: rule.expression, path: rule.path };
        let kind = v1::PubsubSubscriptionType::from_str_name(one.kind).unwrap_or(v1::PubsubSubscriptionType::Unknown);
        Self {
            pubsub_name: one.pubsub,
            topic: one.topic,
            metadata: one.metadata.into_iter().collect(),
            rules: Some(v1::PubsubSubscriptionRules { rules: one.rules.into_iter().map(rule).collect() }),
            dead_letter_topic: one.dead_letter_topic,
            r#type: kind.into(),
        }
    }
}

impl From<ActorRuntime> for v1::ActorRuntime {
    fn from(runtime: ActorRuntime) -> Self {
        let status = match runtime.runtime_status {
            ActorStatus::Initializing => v1::actor_runtime::ActorRuntimeStatus::Initializing,
            ActorStatus::Disabled => v1::actor_runtime::ActorRuntimeStatus::Disabled,
            ActorStatus::Running => v1::actor_runtime::ActorRuntimeStatus::Running,
        };
        Self {
            runtime_status: status.into(),
            active_actors: runtime.active_actors.into_iter().map(Into::into).collect(),
            host_ready: runtime.host_ready,
            placement: runtime.placement,
        }
    }
}

impl From<AppConnection> for v1::AppConnectionProperties {
    fn from(app: AppConnection) -> Self {
        let health = app.health.map(|health| v1::AppConnectionHealthProperties {
            health_check_path: health.health_check_path,
            health_probe_interval: health.health_probe_interval,
            health_probe_timeout: health.health_probe_timeout,
            health_threshold: health.health_threshold,
        });
        Self {
            port: app.port,
            protocol: app.protocol.to_owned(),
            channel_address: app.channel_address,
            max_concurrency: app.max_concurrency,
            health,
        }
    }
}
