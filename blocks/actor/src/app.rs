//! How the app that hosts actors is called: over HTTP, or on a stream that it opened.
mod http;
pub(crate) mod stream;

pub(crate) use http::{OverHttp, metadata};

use crate::model::{ActorKey, Answer, Call};
use crate::tick::Tick;
use async_trait::async_trait;

/// Why an app did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The actor has no such method.
    #[error("actor method not found: {0}")]
    NoMethod(String),
    #[error("error from actor service: {0}")]
    Refused(String),
    /// The actor wants no more of this reminder or timer.
    #[error("reminder has been canceled")]
    Cancelled,
    /// The app was not reached, or did not answer.
    #[error("{0}")]
    Unreached(String),
}

/// The app behind this sidecar, as the host of an actor type.
#[async_trait]
pub(crate) trait App: Send + Sync {
    /// Calls a method. An answer may be an error of the actor itself ([`Answer::is_error`]).
    async fn invoke(&self, call: &Call) -> Result<Answer, Failure>;

    /// Tells of a timer or a reminder.
    async fn tick(&self, tick: &Tick) -> Result<(), Failure>;

    /// Tells that an actor is not active any more.
    async fn deactivate(&self, actor: &ActorKey) -> Result<(), Failure>;
}
