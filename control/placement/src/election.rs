//! Who of several replicas serves sidecars, as a state machine without clock or network.
//!
//! A replica leads as long as a majority has promised it to follow nobody else for a while ([`PROMISE`]). Who asks counts on a
//! promise for less than that ([`LEASE`], from when it asked), so that two never lead at once as long as clocks run nearly as fast
//! as each other. There is no log: what the service knows is what sidecars report to the one that leads. Terms only order the
//! leaders; after the last one they begin again, so that no message, whoever sends it, ends elections. Nothing is kept on disk: who has just started makes no promise until all that it may have made before are over.
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::time::Duration;
use tokio::time::Instant;

/// For so long a replica keeps its word.
pub const PROMISE: Duration = Duration::from_secs(2);
/// For so long who asked counts on it.
pub const LEASE: Duration = Duration::from_millis(1500);
/// Pause between questions of a leader.
const BEAT: Duration = Duration::from_millis(500);
/// The last term: versions of tables have 32 bits for it. Whoever has come to it takes any other for a later one.
const LAST_TERM: u64 = u32::MAX as u64;
/// For so long a candidate waits for promises.
const CANDIDACY: Duration = Duration::from_millis(400);

/// Place of a replica in the list of all, the same on each of them.
pub type Place = usize;

/// What one replica asks all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    pub term: u64,
    /// Whether it leads already.
    pub leads: bool,
    /// When it asked, by its own clock.
    pub at: Instant,
}

/// What a replica answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub promised: bool,
    /// The latest term that it knows of.
    pub term: u64,
}

/// The right to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub term: u64,
    /// None lasts.
    pub until: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Promise {
    to: Place,
    until: Instant,
}

#[derive(Clone, Debug)]
struct Claim {
    term: u64,
    leads: bool,
    /// When the questions were asked last.
    asked: Instant,
    /// By replica: when the question was asked that it has answered with a promise.
    promised: Vec<Option<Instant>>,
}

/// One replica's part in the election.
#[derive(Debug)]
pub struct Election {
    own: Place,
    replicas: usize,
    term: u64,
    promise: Option<Promise>,
    claim: Option<Claim>,
    /// Not before this time it asks for promises.
    patient_until: Instant,
    /// Not before this time it makes any.
    silent_until: Instant,
    random: StdRng,
}

impl Election {
    /// A replica that has just started, one of so many.
    pub fn new(own: Place, replicas: usize, now: Instant, seed: u64) -> Self {
        let mut election = Self {
            own,
            replicas,
            term: 0,
            promise: None,
            claim: None,
            patient_until: now,
            silent_until: now + PROMISE,
            random: StdRng::seed_from_u64(seed),
        };
        election.wait_after(now + PROMISE);
        election
    }

    /// The right to serve, if this replica has it at this time.
    pub fn lease(&self, now: Instant) -> Option<Lease> {
        if self.replicas == 1 {
            return Some(Lease { term: 0, until: None });
        }
        let claim = self.claim.as_ref().filter(|claim| claim.leads)?;
        let until = self.counted_until(claim).filter(|until| *until > now)?;
        Some(Lease { term: claim.term, until: Some(until) })
    }

    /// When [`Election::tick`] is to be called, if nothing else happens. None is never.
    pub fn due(&self) -> Option<Instant> {
        match &self.claim {
            _ if self.replicas == 1 => None,
            None => Some(self.patient_until.max(self.promise.map_or(self.silent_until, |promise| promise.until))),
            Some(claim) if !claim.leads => Some(claim.asked + CANDIDACY),
            Some(claim) => self.counted_until(claim).map(|until| until.min(claim.asked + BEAT)),
        }
    }

    /// Time has passed. Gives what all others are to be asked, if anything.
    pub fn tick(&mut self, now: Instant) -> Option<Question> {
        if self.due().is_none_or(|due| due > now) {
            return None;
        }
        match self.claim.as_ref().map(|claim| claim.leads) {
            None => Some(self.stand(now)),
            Some(true) if self.lease(now).is_some() => Some(self.ask(now)),
            Some(_) => {
                self.resign(now);
                None
            }
        }
    }

    /// Another replica asks.
    pub fn asked(&mut self, from: Place, question: Question, now: Instant) -> Answer {
        let is_bound = self.promise.is_some_and(|promise| promise.to != from && promise.until > now);
        let is_term = (1..=LAST_TERM).contains(&question.term);
        let is_late = !question.leads && question.term <= self.term && !self.is_in_last_term();
        let promised = is_term && !is_bound && !is_late && now >= self.silent_until;
        if promised {
            self.term = if self.is_in_last_term() { question.term } else { self.term.max(question.term) };
            self.claim = None;
            self.promise = Some(Promise { to: from, until: now + PROMISE });
            self.wait_after(now + PROMISE);
        }
        Answer { promised, term: self.term }
    }

    /// Another replica has answered a question of this one.
    pub fn answered(&mut self, from: Place, question: Question, answer: Answer) {
        if answer.term < LAST_TERM {
            self.term = self.term.max(answer.term);
        }
        let majority = self.majority();
        let Some(claim) = self.claim.as_mut().filter(|claim| answer.promised && claim.term == question.term) else {
            return;
        };
        if let Some(promised) = claim.promised.get_mut(from) {
            *promised = (*promised).max(Some(question.at));
        }
        claim.leads |= claim.promised.iter().flatten().count() >= majority;
    }

    /// Asks for promises in a new term. The own one counts like any other.
    fn stand(&mut self, now: Instant) -> Question {
        self.term = if self.is_in_last_term() { 1 } else { self.term + 1 };
        self.claim = Some(Claim { term: self.term, leads: false, asked: now, promised: vec![None; self.replicas] });
        self.ask(now)
    }

    fn ask(&mut self, now: Instant) -> Question {
        self.promise = Some(Promise { to: self.own, until: now + PROMISE });
        let mut question = Question { term: self.term, leads: false, at: now };
        if let Some(claim) = &mut self.claim {
            claim.asked = now;
            (question.term, question.leads) = (claim.term, claim.leads);
            if let Some(own) = claim.promised.get_mut(self.own) {
                *own = Some(now);
            }
        }
        question
    }

    /// Gives up: nobody counts on the own promise any more.
    fn resign(&mut self, now: Instant) {
        self.claim = None;
        self.promise = None;
        self.wait_after(now);
    }

    /// Until when a majority keeps its word.
    fn counted_until(&self, claim: &Claim) -> Option<Instant> {
        let mut asked: Vec<Instant> = claim.promised.iter().flatten().copied().collect();
        asked.sort_unstable_by(|one, other| other.cmp(one));
        asked.get(self.majority() - 1).map(|oldest| *oldest + LEASE)
    }

    fn is_in_last_term(&self) -> bool {
        self.term == LAST_TERM
    }

    fn majority(&self) -> usize {
        self.replicas / 2 + 1
    }

    /// Some time more than `end`, not the same as that of others.
    fn wait_after(&mut self, end: Instant) {
        self.patient_until = end + PROMISE.mul_f64(self.random.random_range(0.0..0.5));
    }
}

#[cfg(test)]
mod tests;
