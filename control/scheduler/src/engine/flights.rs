//! Triggers that are out, until it is known what has become of them.
use crate::agenda::Due;
use crate::metrics::Target;
use crate::plan::Plan;
use crate::pool::{Outcome, Outcomes, Recall, Recipient, Reply, Ticket};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// What is to be known of a job when the outcome of its trigger comes.
pub(super) struct Flight {
    pub(super) due: Due,
    pub(super) plan: Plan,
    pub(super) partition: u64,
    pub(super) recipient: Arc<Recipient>,
    /// Name of a limit that it has to pass, if there is such a one.
    pub(super) concurrency_key: Option<Arc<str>>,
    pub(super) target: Target,
    pub(super) begun: Instant,
}

pub(super) struct Flights {
    out: HashMap<Ticket, Flight>,
    /// Those of jobs that are still there.
    current: HashMap<Arc<str>, (Ticket, Recall)>,
    last: Ticket,
    outcomes: Outcomes,
    landed: mpsc::UnboundedReceiver<(Ticket, Outcome)>,
}

impl Default for Flights {
    fn default() -> Self {
        let (outcomes, landed) = mpsc::unbounded_channel();
        Self { out: HashMap::new(), current: HashMap::new(), last: 0, outcomes, landed }
    }
}

impl Flights {
    pub(super) fn begin(&mut self, flight: Flight) -> (Reply, Recall) {
        self.last += 1;
        let recall = Recall::default();
        self.current.insert(Arc::clone(&flight.due.name), (self.last, recall.clone()));
        self.out.insert(self.last, flight);
        (Reply::new(self.last, self.outcomes.clone()), recall)
    }

    /// A job is not there any more as it was: a trigger of it that has not been sent is not.
    pub(super) fn recall(&mut self, name: &str) {
        if let Some((_, recall)) = self.current.remove(name) {
            recall.recall();
        }
    }

    /// None is sent any more: somebody else runs the jobs from now on.
    pub(super) fn recall_all(&mut self) {
        self.current.drain().for_each(|(_, (_, recall))| recall.recall());
    }

    /// Waits until it is known what has become of one, or of more, up to a number.
    pub(super) async fn land(&mut self, most: usize) -> Vec<(Ticket, Outcome)> {
        let mut landed = Vec::new();
        self.landed.recv_many(&mut landed, most).await;
        landed
    }

    /// One of which it is known now what has become of it.
    pub(super) fn landed(&mut self) -> Option<(Ticket, Outcome)> {
        self.landed.try_recv().ok()
    }

    pub(super) fn end(&mut self, ticket: Ticket) -> Option<Flight> {
        let flight = self.out.remove(&ticket)?;
        if self.current.get(&flight.due.name).is_some_and(|(current, _)| *current == ticket) {
            self.current.remove(&flight.due.name);
        }
        Some(flight)
    }
}
