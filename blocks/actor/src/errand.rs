//! What is brought to an actor: a call, or word of a timer or reminder that is due.
use crate::app::{App, Failure};
use crate::model::{ActorKey, Answer, Call};
use crate::tick::Tick;
use http::HeaderMap;

/// What is brought to an actor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Errand<'a> {
    Call {
        call: &'a Call,
        /// Headers of the call to another sidecar.
        trace: &'a HeaderMap,
    },
    Tick(&'a Tick),
}

impl<'a> Errand<'a> {
    pub(crate) fn actor(self) -> &'a ActorKey {
        match self {
            Self::Call { call, .. } => &call.actor,
            Self::Tick(tick) => &tick.actor,
        }
    }

    /// The chain of calls that it belongs to.
    pub(crate) fn chain_id(self) -> Option<&'a str> {
        match self {
            Self::Call { call, .. } => call.reentrancy_id(),
            Self::Tick(_) => None,
        }
    }

    /// Hands it to the app.
    pub(crate) async fn deliver(self, app: &dyn App) -> Result<Answer, Failure> {
        match self {
            Self::Call { call, .. } => app.invoke(call).await,
            Self::Tick(tick) => app.tick(tick).await.map(|()| Answer::default()),
        }
    }
}
