//! Publish/subscribe: messages between apps as CloudEvents, over any broker.
//!
//! [`Service`] publishes; [`Subscriber`] keeps the subscriptions of the app, which come from the app itself and from
//! Subscription resources, and delivers. Contract: surface.md 0, 1.2, 3.2, 3.4 and 6.4, protocols.md 7.1 to 7.4.
mod at_work;
mod bulk_body;
mod bulk_delivery;
mod content_type;
mod delivery;
mod envelope;
mod error;
mod event;
mod failure;
mod grpc;
mod http;
mod model;
mod outbox;
mod receiver;
mod rules;
mod running;
mod scopes;
mod service;
mod spans;
mod stream;
mod subscriber;
mod wanted;

pub use error::Error;
pub use grpc::{bulk_publish_event, publish_event};
pub use http::endpoints;
pub use model::{Api, BulkEntry, BulkFailure, BulkPublishRequest, PublishRequest, Trace};
pub use outbox::NewEvent;
pub use rules::{InvalidRule, Rules};
pub use service::Service;
pub use stream::{Events, subscribe_topic_events};
pub use subscriber::{Options, Subscriber};
pub use wanted::{Declared, Kind, Listed};
