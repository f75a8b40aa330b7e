//! Name resolution: where the sidecar of an app listens.
use crate::Result;
use async_trait::async_trait;

/// This sidecar, as others shall find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    pub app_id: String,
    pub namespace: String,
    /// Address that others can reach, without a port.
    pub address: String,
    /// Port of the internal gRPC server.
    pub port: u16,
    /// Port of the HTTP API, for resolvers with health checks.
    pub http_port: u16,
}

/// An app to find.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    pub app_id: String,
    pub namespace: String,
    /// Internal gRPC port, for resolvers that do not know it from elsewhere.
    pub default_port: u16,
}

/// Finds sidecars by app id.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// Makes this sidecar known; it is forgotten when the resolver is closed.
    async fn register(&self, own: Registration) -> Result<()>;

    /// Addresses (`host:port`) of the app, at least one. None known is [`crate::Kind::NotFound`].
    async fn resolve(&self, target: &Target) -> Result<Vec<String>>;

    /// Forgets this sidecar and ends background work.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
