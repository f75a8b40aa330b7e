//! Large language models.
use async_trait::async_trait;

/// A model that answers a conversation.
#[async_trait]
pub trait Model: Send + Sync {
    /// Ends background work and connections.
    async fn close(&self) -> crate::Result<()> {
        Ok(())
    }
}
