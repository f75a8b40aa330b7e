//! The seam to resiliency: who decides how often and how long a call is tried.
use async_trait::async_trait;
use futures_util::future::BoxFuture;

/// One try of a call; it may be made several times.
pub type Attempt<'a> = &'a (dyn Fn() -> BoxFuture<'a, Result<(), Failure>> + Send + Sync + 'a);

/// Why a try failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Status for retry policies that look at it: an HTTP status from 100 on, else a gRPC code.
    pub code: Option<i32>,
    pub message: String,
}

impl Failure {
    /// A failure that no policy knows by its status.
    pub fn new(message: impl Into<String>) -> Self {
        Self { code: None, message: message.into() }
    }
}

/// Resiliency policies of pubsub components.
#[async_trait]
pub trait Policies: Send + Sync {
    /// Runs a call to the broker by the component's outbound policy.
    async fn outbound(&self, pubsub: &str, attempt: Attempt<'_>) -> Result<(), Failure>;

    /// Runs a delivery to the app by the component's inbound policy.
    async fn inbound(&self, pubsub: &str, attempt: Attempt<'_>) -> Result<(), Failure>;
}

/// Every call is tried once.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPolicies;

#[async_trait]
impl Policies for NoPolicies {
    async fn outbound(&self, _: &str, attempt: Attempt<'_>) -> Result<(), Failure> {
        attempt().await
    }

    async fn inbound(&self, _: &str, attempt: Attempt<'_>) -> Result<(), Failure> {
        attempt().await
    }
}
