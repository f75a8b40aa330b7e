//! Bindings: events from other systems for the app, and operations of the app on them.
