//! Messages that are ours for a while. Losing hold of them gives them back.
use super::engine::Command;
use super::tables::{Outcome, Place};
use component_api::pubsub::{Message, Verdict};
use std::sync::Arc;
use tokio::sync::mpsc::WeakSender;

/// A message as it was taken from the tables.
#[derive(Debug)]
pub(super) struct Claim {
    pub id: i64,
    /// How often it was delivered, this time included.
    pub attempts: i64,
    pub message: Message,
}

/// A claimed message and what became of it. The number of deliveries tells this claim from later ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub id: i64,
    pub attempts: i64,
    pub outcome: Outcome,
}

/// Messages claimed together. What became of them reaches the tables even when the task that handled them is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    pub messages: Vec<Message>,
    place: Arc<Place>,
    held: Vec<Held>,
    settled: bool,
    commands: WeakSender<Command>,
}

impl Lease {
    pub(super) fn new(claims: Vec<Claim>, place: Arc<Place>, commands: WeakSender<Command>) -> Self {
        let held = |claim: &Claim| Held { id: claim.id, attempts: claim.attempts, outcome: Outcome::Released };
        let held = claims.iter().map(held).collect();
        let messages = claims.into_iter().map(|claim| claim.message).collect();
        Self { messages, place, held, settled: false, commands }
    }

    /// What became of each message.
    pub(super) fn conclude(&mut self, verdicts: &[Verdict]) {
        for (index, held) in self.held.iter_mut().enumerate() {
            held.outcome = Outcome::of(verdicts.get(index).copied().unwrap_or(Verdict::Retry));
        }
    }

    /// Asks for more time; no harm is done when that gets lost, as it is asked for again.
    pub(super) fn renew(&self) {
        self.tell(Command::Renew(self.settlement()));
    }

    /// What is to be written down about the messages.
    pub(super) fn settlement(&self) -> Settlement {
        Settlement { place: Arc::clone(&self.place), held: self.held.clone() }
    }

    /// It is written down.
    pub(super) fn forget(mut self) {
        self.settled = true;
    }

    fn tell(&self, command: Command) {
        if let Some(commands) = self.commands.upgrade() {
            commands.try_send(command).ok();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.settled {
            self.tell(Command::Settle { settlement: self.settlement(), reply: None });
        }
    }
}

/// What became of messages, to be written down.
#[derive(Debug)]
pub(super) struct Settlement {
    pub place: Arc<Place>,
    pub held: Vec<Held>,
}
