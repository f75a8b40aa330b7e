//! What is brought to an actor: a call, or word of a timer or reminder that is due.
use crate::app::{App, Failure};
use crate::model::{ActorKey, Answer, Call};
use crate::tick::Tick;
use http::HeaderMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio_util::sync::CancellationToken;

/// What is brought to an actor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Errand<'a> {
    Call {
        call: &'a Call,
        /// Headers of the call to another sidecar.
        trace: &'a HeaderMap,
    },
    Tick {
        tick: &'a Tick,
        begun: &'a Begun,
    },
}

/// Whether somebody has been told of a tick: the app, or the sidecar that hosts the actor. Until then it can be called off.
#[derive(Debug, Default)]
pub(crate) struct Begun(AtomicBool);

impl Begun {
    fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Resolves when `gone` is cancelled before the tick has begun.
    pub(crate) async fn called_off(&self, gone: &CancellationToken) {
        gone.cancelled().await;
        if self.0.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    }
}

impl<'a> Errand<'a> {
    pub(crate) fn actor(self) -> &'a ActorKey {
        match self {
            Self::Call { call, .. } => &call.actor,
            Self::Tick { tick, .. } => &tick.actor,
        }
    }

    /// The chain of calls that it belongs to.
    pub(crate) fn chain_id(self) -> Option<&'a str> {
        match self {
            Self::Call { call, .. } => call.reentrancy_id(),
            Self::Tick { .. } => None,
        }
    }

    /// Tells that it is on its way to the app or to another sidecar.
    pub(crate) fn begin(self) {
        if let Self::Tick { begun, .. } = self {
            begun.begin();
        }
    }

    /// Hands it to the app.
    pub(crate) async fn deliver(self, app: &dyn App) -> Result<Answer, Failure> {
        self.begin();
        match self {
            Self::Call { call, .. } => app.invoke(call).await,
            Self::Tick { tick, .. } => app.tick(tick).await.map(|()| Answer::default()),
        }
    }
}
