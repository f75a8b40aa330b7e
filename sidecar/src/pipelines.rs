//! Pipelines of HTTP middleware (surface.md 3.3).
use component_api::Live;
use component_api::middleware::{Handler, Http, Pipeline};

const SCOPE: &str = "dapr.middleware.http";

/// Puts a pipeline together. What has no component is told, and skipped until there is one.
pub(crate) fn build(name: &str, handlers: Vec<Handler>, live: &Live<dyn Http>) -> Pipeline {
    let pipeline = Pipeline::new(handlers, live.clone());
    if !pipeline.is_empty() {
        tracing::info!(target: SCOPE, "Building pipeline {name}");
    }
    for Handler { name: handler, kind, version } in pipeline.missing() {
        let version = if version.is_empty() { "v1" } else { version };
        tracing::warn!(target: SCOPE, "pipeline {name} skips {handler}: no component of this name is a {kind}/{version}");
    }
    pipeline
}
