//! The name resolver: the configured one, else multicast DNS (surface.md 6.2).
use crate::declared::resolver_settings;
use async_trait::async_trait;
use component_api::naming::{Registration, Resolver, Target};
use component_api::{Config, Error, Kind, Registry, Result};
use foundation_drain::Drain;
use foundation_peer::{Own, Peers};
use foundation_resources::NameResolution;
use std::sync::Arc;

const SCOPE: &str = "dapr.runtime";
const DEFAULT: &str = "mdns";

/// A resolver and its name.
pub(crate) struct Found {
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) name: String,
}

/// Makes the resolver. Where that fails it is logged, and no other app is found.
pub(crate) async fn resolver(registry: &Registry, wanted: Option<&NameResolution>, own: &Own) -> Found {
    let wanted = wanted.filter(|resolution| !resolution.component.is_empty());
    let name = wanted.map_or(DEFAULT, |resolution| resolution.component.as_str()).to_owned();
    let made = make(registry, &name, wanted, own).await;
    let resolver = made.unwrap_or_else(|reason| {
        tracing::error!(target: SCOPE, "{reason}");
        Arc::new(Nobody) as Arc<dyn Resolver>
    });
    Found { resolver, name }
}

/// Makes this sidecar known, in the background.
pub(crate) fn register(peers: Arc<Peers>, resolver: String, http_port: u16, drain: &Drain) {
    drain.spawn_until_stopped(async move {
        match peers.register(http_port).await {
            Ok(()) => tracing::info!(target: SCOPE, "Initialized name resolution to {resolver}"),
            Err(error) => tracing::error!(target: SCOPE, "[INIT_COMPONENT_FAILURE]: initialization error occurred for nr ({resolver}/v1): {error}"),
        }
    });
}

async fn make(
    registry: &Registry,
    name: &str,
    wanted: Option<&NameResolution>,
    own: &Own,
) -> std::result::Result<Arc<dyn Resolver>, String> {
    let version =
        wanted.map(|resolution| resolution.version.as_str()).filter(|version| !version.is_empty()).unwrap_or("v1");
    let kind = format!("nameresolution.{name}");
    let factory = registry.naming.find(name, version).or_error(&kind, version).map_err(|advice| {
        let reason = format!("couldn't find name resolver {kind}/{version}: {advice}");
        format!("[CREATE_COMPONENT_FAILURE]: initialization error occurred for nr ({name}/{version}): {reason}")
    })?;
    let config = Config {
        name: name.to_owned(),
        app_id: own.app_id.clone(),
        namespace: own.namespace.clone(),
        version: version.to_owned(),
        properties: wanted.into_iter().flat_map(resolver_settings).collect(),
    };
    let failed = |error: Error| {
        format!("[INIT_COMPONENT_FAILURE]: initialization error occurred for nr ({name}/{version}): {error}")
    };
    factory(config).await.map_err(failed)
}

/// Knows no app.
struct Nobody;

#[async_trait]
impl Resolver for Nobody {
    async fn register(&self, _: Registration) -> Result<()> {
        Ok(())
    }

    async fn resolve(&self, target: &Target) -> Result<Vec<String>> {
        let app_id = &target.app_id;
        Err(Error::new(
            Kind::NotFound,
            format!("couldn't find app {app_id}: there is no name resolver; check nameResolution"),
        ))
    }
}
