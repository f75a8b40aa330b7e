//! Bindings: events that come in from a system, and operations that go out to it.
pub mod sql;

use crate::pubsub::Subscription;
use crate::{Error, Metadata, Result};
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;

/// An event from outside.
#[derive(Clone, Debug, Default)]
pub struct Event {
    pub data: Bytes,
    pub metadata: Metadata,
}

/// Takes the events of an input binding. The binding keeps an event until the answer is there.
#[async_trait]
pub trait Handle: Send + Sync {
    /// Hands an event to the app; returns what the app answered with, for bindings that pass it back.
    async fn handle(&self, event: Event) -> Result<Bytes>;
}

/// An operation on the system outside.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Name of the operation, such as `create`.
    pub operation: String,
    pub data: Bytes,
    pub metadata: Metadata,
}

/// What an operation answered.
#[derive(Debug, Default)]
pub struct Response {
    /// Nothing where the operation has no answer.
    pub data: Option<Bytes>,
    pub metadata: Metadata,
    /// Why the answer counts as a failure; the caller is told the metadata all the same.
    pub failure: Option<Error>,
}

/// A binding: an input, an output, or both.
#[async_trait]
pub trait Binding: Send + Sync {
    /// Whether events come in.
    fn is_input(&self) -> bool {
        false
    }

    /// Operations that can go out; none for a binding that is only an input.
    fn operations(&self) -> Vec<String> {
        Vec::new()
    }

    /// Hands events to `handle` until the subscription is closed or dropped.
    async fn read(&self, _handle: Arc<dyn Handle>) -> Result<Subscription> {
        Err(Error::unsupported("this binding has no input"))
    }

    /// Does one of [`Binding::operations`].
    ///
    /// # Errors
    /// There was no answer; one that says no is [`Response::failure`].
    async fn invoke(&self, _request: Request) -> Result<Response> {
        Err(Error::unsupported("this binding has no output"))
    }

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
