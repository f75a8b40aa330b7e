//! A message that is ours for a while. Losing hold of it gives it back.
use super::engine::Command;
use super::tables::{Outcome, Place};
use component_api::pubsub::Message;
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

/// A claimed message. What became of it reaches the tables even when the task that handled it is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    pub message: Message,
    place: Arc<Place>,
    id: i64,
    attempts: i64,
    outcome: Outcome,
    settled: bool,
    commands: WeakSender<Command>,
}

impl Lease {
    pub(super) fn new(claim: Claim, place: Arc<Place>, commands: WeakSender<Command>) -> Self {
        let Claim { id, attempts, message } = claim;
        Self { message, place, id, attempts, outcome: Outcome::Released, settled: false, commands }
    }

    /// What became of the message.
    pub(super) fn conclude(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// Asks for more time; no harm is done when that gets lost, as it is asked for again.
    pub(super) fn renew(&self) {
        self.tell(Command::Renew { place: Arc::clone(&self.place), id: self.id });
    }

    /// The command that writes down what became of the message.
    pub(super) fn settlement(&self) -> Settlement {
        Settlement { place: Arc::clone(&self.place), claim: (self.id, self.attempts), outcome: self.outcome }
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

/// What became of a message, to be written down.
#[derive(Debug)]
pub(super) struct Settlement {
    pub place: Arc<Place>,
    /// Id of the message, and how often it was delivered.
    pub claim: (i64, i64),
    pub outcome: Outcome,
}
