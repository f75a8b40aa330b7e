//! How those who offer triggers learn what has become of them.
use super::Outcome;
use tokio::sync::mpsc;

/// Of a trigger, as they count them who offer it.
pub(crate) type Ticket = u64;

/// Where outcomes go: one for each ticket that is out, and so there are never more.
pub(crate) type Outcomes = mpsc::UnboundedSender<(Ticket, Outcome)>;

/// Tells the outcome of one trigger. Dropped, it tells that nobody has got it.
pub(crate) struct Reply {
    ticket: Ticket,
    outcomes: Option<Outcomes>,
}

impl Reply {
    pub(crate) fn new(ticket: Ticket, outcomes: Outcomes) -> Self {
        Self { ticket, outcomes: Some(outcomes) }
    }

    pub(super) fn send(mut self, outcome: Outcome) {
        self.tell(outcome);
    }

    fn tell(&mut self, outcome: Outcome) {
        if let Some(outcomes) = self.outcomes.take() {
            outcomes.send((self.ticket, outcome)).ok();
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.tell(Outcome::Undeliverable);
    }
}
