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
    for handler in pipeline.missing() {
        tracing::warn!(target: SCOPE, "pipeline {name} skips {}: {}", handler.name, reason(handler));
    }
    pipeline
}

fn reason(Handler { kind, version, .. }: &Handler) -> String {
    if kind.is_empty() {
        return "the handler has no type; give it that of its component, such as middleware.http.ratelimit".to_owned();
    }
    let version = if version.is_empty() { "v1" } else { version };
    format!("no component of this name is a {kind}/{version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_that_is_skipped_is_told_with_its_reason() {
        let handler = |kind: &str| Handler { name: "a".to_owned(), kind: kind.to_owned(), ..Handler::default() };
        let other = "middleware.http.x";
        assert_eq!(reason(&handler(other)), "no component of this name is a middleware.http.x/v1");
        assert!(reason(&handler("")).starts_with("the handler has no type"));
    }
}
