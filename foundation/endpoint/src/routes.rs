//! The route table of a block: every endpoint with the names that allow and deny lists know it by.
use axum::Router;
use axum::routing::MethodRouter;

/// One path with its handlers.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Path prefix, such as `v1.0` or `v1.0-alpha1`.
    pub version: &'static str,
    /// Name in allow and deny lists, such as `state`.
    pub group: &'static str,
    /// Path below the version in axum's syntax, such as `state/{store}/{key}`.
    pub path: &'static str,
    /// Handlers by method.
    pub handlers: MethodRouter,
}

/// The endpoints of a block, in reading order.
#[derive(Clone, Debug, Default)]
pub struct Endpoints(Vec<Endpoint>);

impl Endpoints {
    /// No endpoints.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one path under one version.
    #[must_use]
    pub fn add(
        mut self,
        version: &'static str,
        group: &'static str,
        path: &'static str,
        handlers: MethodRouter,
    ) -> Self {
        self.0.push(Endpoint { version, group, path, handlers });
        self
    }

    /// Adds all endpoints of another block.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// A router with those endpoints that `allowed` lets through; the others are as if they did not exist.
    pub fn into_router(self, allowed: impl Fn(&Endpoint) -> bool) -> Router {
        let kept = self.0.into_iter().filter(|endpoint| allowed(endpoint));
        kept.fold(Router::new(), |router, endpoint| {
            router.route(&format!("/{}/{}", endpoint.version, endpoint.path), endpoint.handlers)
        })
    }
}
