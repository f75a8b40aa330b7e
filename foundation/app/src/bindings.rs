//! Events of input bindings as the app gets them, and what it answers.
use bytes::Bytes;
use http::HeaderMap;
use std::collections::BTreeMap;
use wire::common::v1::StateItem;

/// An event of an input binding.
#[derive(Clone, Debug, Default)]
pub struct BindingEvent {
    /// Name of the binding.
    pub name: String,
    /// Path of the event at an HTTP app.
    pub route: String,
    pub data: Bytes,
    /// What the binding says of the event; HTTP apps get it as headers.
    pub metadata: BTreeMap<String, String>,
    /// Further headers, such as those of the trace.
    pub headers: HeaderMap,
}

/// What the app answers to an event, and what is to be done with it. HTTP apps only give data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BindingAnswer {
    pub data: Bytes,
    /// State store for the entries.
    pub store: String,
    pub states: Vec<StateItem>,
    /// Output bindings that get the data.
    pub to: Vec<String>,
    /// Whether they get it at the same time, and nobody waits for them.
    pub parallel: bool,
}
