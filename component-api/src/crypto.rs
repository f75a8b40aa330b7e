//! Cryptographic keys and the operations with them.
use async_trait::async_trait;

/// A provider of keys that encrypts, wraps and signs with them.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Ends background work and connections.
    async fn close(&self) -> crate::Result<()> {
        Ok(())
    }
}
