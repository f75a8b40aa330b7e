//! What the block hands out.
use component_api::secret::Secret;
use std::collections::BTreeMap;

/// Secrets by name.
pub type Secrets = BTreeMap<String, Secret>;
