//! An active actor: its turns, when it was used last, and how it ends.
use crate::model::ActorKey;
use crate::sizes::Sizes;
use crate::turns::{Refused, Turn, Turns};
use crate::watched::Watched;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Active,
    /// It is being deactivated; who has the turn must end.
    Closing,
    Gone,
}

/// An active actor.
#[derive(Debug)]
pub(crate) struct Actor {
    pub(crate) actor_type: Arc<str>,
    pub(crate) id: Arc<str>,
    turns: Turns,
    /// Milliseconds of its host's clock.
    used: AtomicU64,
    phase: Watched<Phase>,
    /// Of its state.
    pub(crate) sizes: Sizes,
}

impl Actor {
    pub(crate) fn new(actor_type: Arc<str>, id: Arc<str>, now: u64) -> Self {
        let (turns, phase) = (Turns::default(), Watched::new(Phase::Active));
        Self { actor_type, id, turns, used: AtomicU64::new(now), phase, sizes: Sizes::default() }
    }

    pub(crate) fn key(&self) -> ActorKey {
        ActorKey::new(&*self.actor_type, &*self.id)
    }

    /// Waits for the turn.
    pub(crate) async fn turn(&self, chain_id: Option<&str>, max_depth: u32) -> Result<Turn<'_>, Refused> {
        self.turns.take(chain_id, max_depth).await
    }

    pub(crate) fn touch(&self, now: u64) {
        self.used.store(now, Ordering::Relaxed);
    }

    pub(crate) fn last_used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Begins the end, whoever has the turn. Returns whether it had not begun yet.
    pub(crate) fn close(&self) -> bool {
        self.turns.close();
        self.begin_end()
    }

    /// The same, unless somebody has the turn or waits for it.
    pub(crate) fn close_if_idle(&self) -> bool {
        self.turns.close_if_idle() && self.begin_end()
    }

    fn begin_end(&self) -> bool {
        self.phase.change(|phase| {
            let begins = *phase == Phase::Active;
            if begins {
                *phase = Phase::Closing;
            }
            begins
        })
    }

    /// The end has come.
    pub(crate) fn leave(&self) {
        self.phase.change(|phase| *phase = Phase::Gone);
    }

    /// Resolves when the end has begun.
    pub(crate) async fn closing(&self) {
        self.until(|phase| phase != Phase::Active).await;
    }

    /// Resolves when it is gone.
    pub(crate) async fn gone(&self) {
        self.until(|phase| phase == Phase::Gone).await;
    }

    async fn until(&self, is_there: impl Fn(Phase) -> bool) {
        self.phase.until(|phase| is_there(*phase).then_some(())).await;
    }
}
