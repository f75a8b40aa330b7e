//! What is asked of the service, and what subscribers are told.
use component_api::Metadata;
use component_api::configuration::{self, Items};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// Items to read or to follow; no keys are all keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    pub keys: Vec<String>,
    pub metadata: Metadata,
}

/// A change that a subscription tells of. The first one of a stream has no items and tells the id alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Update {
    /// Id of the subscription.
    pub id: String,
    #[serde(serialize_with = "written")]
    pub items: Items,
}

/// An item in JSON, where what is empty is left out.
#[derive(Serialize)]
struct Item<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    value: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'a str,
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    metadata: &'a Metadata,
}

/// Writes items by their keys.
pub(crate) fn written<S: Serializer>(items: &Items, serializer: S) -> Result<S::Ok, S::Error> {
    let items: BTreeMap<_, _> = items.iter().map(|(key, item)| (key, Item::from(item))).collect();
    items.serialize(serializer)
}

impl<'a> From<&'a configuration::Item> for Item<'a> {
    fn from(item: &'a configuration::Item) -> Self {
        let configuration::Item { value, version, metadata } = item;
        Self { value, version, metadata }
    }
}
