//! Secret stores.
use crate::{Metadata, Result};
use async_trait::async_trait;
use std::collections::BTreeMap;

/// A secret: one or more named values.
pub type Secret = BTreeMap<String, String>;

/// What a secret store can do beyond the basics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// One secret may hold several named values (`MULTIPLE_KEY_VALUES_PER_SECRET`).
    pub multiple_values: bool,
}

/// A place that secrets are read from.
#[async_trait]
pub trait Store: Send + Sync {
    fn features(&self) -> Features;

    /// One secret by its name. A missing one is [`crate::Kind::NotFound`].
    async fn get(&self, name: &str, metadata: &Metadata) -> Result<Secret>;

    /// All secrets by name.
    async fn bulk_get(&self, metadata: &Metadata) -> Result<BTreeMap<String, Secret>>;

    /// Makes the first contact with the server behind it, if there is one.
    ///
    /// # Errors
    /// It cannot be reached, or does not let us in.
    async fn ping(&self) -> Result<()> {
        Ok(())
    }
}
