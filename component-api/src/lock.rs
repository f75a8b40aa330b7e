//! Distributed locks.
use crate::Result;
use async_trait::async_trait;
use std::time::Duration;

/// What became of an unlock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlocked {
    Success,
    /// Nobody holds the lock.
    NoLock,
    /// Another owner holds the lock.
    OtherOwner,
}

/// A store of locks with owners and expiry.
#[async_trait]
pub trait Store: Send + Sync {
    /// Takes the lock for `owner` until `expiry` has passed; false when somebody (the same owner, too) holds it.
    async fn try_lock(&self, resource: &str, owner: &str, expiry: Duration) -> Result<bool>;

    /// Lets go of the lock if `owner` holds it.
    async fn unlock(&self, resource: &str, owner: &str) -> Result<Unlocked>;

    /// Makes the first contact with the server behind it, if there is one.
    ///
    /// # Errors
    /// It cannot be reached, or does not let us in.
    async fn ping(&self) -> Result<()> {
        Ok(())
    }

    /// Ends background work and connections.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
