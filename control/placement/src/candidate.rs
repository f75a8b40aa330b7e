//! A replica in the election: keeps its clock, and carries questions and answers.
use crate::election::{Answer, Election, LEASE, Lease, Place, Question};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tonic::async_trait;

const SCOPE: &str = "dapr.placement.leadership";

/// How a replica reaches the others.
#[async_trait]
pub trait Voters: Send + Sync {
    /// Asks a replica; nothing when it does not answer.
    async fn ask(&self, to: Place, question: Question) -> Option<Answer>;
}

/// A replica in the election. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Candidate {
    election: Arc<Mutex<Election>>,
    own: Place,
    replicas: usize,
    lead: watch::Sender<Option<Lease>>,
    stirred: Arc<Notify>,
}

impl Candidate {
    /// A replica that has just started, one of so many. `seed` makes its pauses differ from those of others.
    pub fn new(own: Place, replicas: usize, seed: u64) -> Self {
        let election = Election::new(own, replicas, Instant::now(), seed);
        let lead = watch::Sender::new(election.lease(Instant::now()));
        Self { election: Arc::new(Mutex::new(election)), own, replicas, lead, stirred: Arc::default() }
    }

    /// The right to serve, and changes of it.
    pub fn lead(&self) -> watch::Receiver<Option<Lease>> {
        self.lead.subscribe()
    }

    /// Another replica asks.
    pub fn asked(&self, from: Place, question: Question) -> Answer {
        let answer = self.election().asked(from, question, Instant::now());
        self.tell();
        self.stirred.notify_one();
        answer
    }

    /// Takes part; ends only when it is dropped.
    pub async fn run(&self, voters: &dyn Voters) {
        let mut waiting = FuturesUnordered::new();
        loop {
            let due = self.election().due();
            tokio::select! {
                biased;
                Some(answered) = waiting.next() => self.answered(answered),
                () = until(due) => {
                    let question = self.election().tick(Instant::now());
                    waiting.extend(question.into_iter().flat_map(|question| self.ask_all(voters, question)));
                }
                () = self.stirred.notified() => {}
            }
            self.tell();
        }
    }

    fn ask_all<'a>(
        &self,
        voters: &'a dyn Voters,
        question: Question,
    ) -> impl Iterator<Item = impl Future<Output = Answered> + use<'a>> + use<'a> {
        let own = self.own;
        let others = (0..self.replicas).filter(move |place| *place != own);
        others.map(move |place| async move {
            let answer = timeout(LEASE, voters.ask(place, question)).await;
            (place, question, answer.ok().flatten())
        })
    }

    fn answered(&self, (from, question, answer): Answered) {
        if let Some(answer) = answer {
            self.election().answered(from, question, answer);
        }
    }

    fn tell(&self) {
        let lease = self.election().lease(Instant::now());
        let (term, before) = (lease.map(|lease| lease.term), self.lead.borrow().map(|lease| lease.term));
        match (before, term) {
            (None, Some(term)) => tracing::info!(target: SCOPE, "This replica leads, in term {term}"),
            (Some(term), None) => tracing::warn!(target: SCOPE, "This replica leads no more, term {term} is over"),
            _ => {}
        }
        self.lead.send_if_modified(|told| std::mem::replace(told, lease) != lease);
    }

    fn election(&self) -> MutexGuard<'_, Election> {
        self.election.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Answered = (Place, Question, Option<Answer>);

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
