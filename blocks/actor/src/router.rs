//! The way of a call to its actor: served here, or passed on to the sidecar that hosts it (protocols.md 2.6).
use crate::errand::{Begun, Errand};
use crate::error::{Error, Failure};
use crate::hosts::{Hosts, Unserved};
use crate::model::{ActorKey, Answer, Call};
use crate::network::Neighbours;
use crate::placement::{Claim, Owner, Placement};
use crate::ring::Host;
use crate::tick::Tick;
use foundation_resiliency::{self as resiliency, BuiltIn, Resiliency};
use http::HeaderMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tonic::{Code, Status};
use wire::internals::v1::{InternalInvokeRequest, Reminder};

/// What a sidecar says that was taken for the host and is not any more. Go's sidecars look for these texts.
const MOVED: &str = "remote actor moved";
const MOVED_SEEN: &str = "error invoke actor method: remote actor moved";
const DISSEMINATING: &str = ": placement is disseminating";
/// The actor was deactivated while the call waited: so often it is looked for at once.
const AT_ONCE: usize = 8;

/// How long a host that has left may take to end what it has begun: it may be a sidecar that ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// Where a call came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hop {
    /// From this sidecar's own API.
    First,
    /// From another sidecar, which took this one for the host. It is not passed on again.
    Last,
}

/// Brings calls to actors.
pub(crate) struct Router {
    pub(crate) placement: Arc<Placement>,
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) neighbours: Arc<dyn Neighbours>,
    pub(crate) resiliency: Resiliency,
}

/// An attempt that failed.
#[derive(Debug)]
struct Missed {
    error: Error,
    /// Whether the actor may be found elsewhere by the next time.
    again: bool,
}

impl Missed {
    fn for_good(error: impl Into<Error>) -> Self {
        Self { error: error.into(), again: false }
    }

    fn for_now(failure: Failure) -> Self {
        Self { error: Error::Invoke(failure), again: true }
    }
}

impl resiliency::Failure for Missed {
    fn is_permanent(&self) -> bool {
        !self.again
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Invoke(failure)
    }
}

impl Router {
    /// Calls a method. A call that does not find its actor is tried again for some seconds, unless the user has policies
    /// for the type.
    pub(crate) async fn call(&self, call: &Call, hop: Hop, trace: &HeaderMap) -> Result<Answer, Error> {
        self.bring(Errand::Call { call, trace }, hop).await
    }

    /// Tells an actor of a timer or a reminder.
    pub(crate) async fn tick(&self, tick: &Tick, hop: Hop) -> Result<(), Error> {
        self.tick_watched(tick, hop, &Begun::default()).await
    }

    /// The same, for those who want to know whether it has begun.
    pub(crate) async fn tick_watched(&self, tick: &Tick, hop: Hop, begun: &Begun) -> Result<(), Error> {
        self.bring(Errand::Tick { tick, begun }, hop).await.map(drop)
    }

    async fn bring(&self, errand: Errand<'_>, hop: Hop) -> Result<Answer, Error> {
        if self.resiliency.lists_actor(&errand.actor().actor_type) {
            return self.attempt(errand, hop, 0).await.map_err(|missed| missed.error);
        }
        let mut tries = 0;
        let counted = || {
            tries += 1;
            self.attempt(errand, hop, tries - 1)
        };
        let brought = self.resiliency.built_in(BuiltIn::ActorNotFoundRetries).run(counted).await;
        brought.map_err(|error| error.failure_or_else(|text| Missed::for_good(Failure::Said(text.to_owned()))).error)
    }

    /// One attempt after so many others.
    async fn attempt(&self, errand: Errand<'_>, hop: Hop, tries: u64) -> Result<Answer, Missed> {
        match self.owner(errand.actor()).await? {
            Owner::Local(claim) => self.serve(errand, claim).await,
            Owner::Remote(_) if hop == Hop::Last => Err(Missed::for_good(Failure::Said(MOVED.to_owned()))),
            Owner::Remote(host) => self.pass_on(errand, &host, tries).await,
        }
    }

    async fn owner(&self, actor: &ActorKey) -> Result<Owner, Missed> {
        match self.placement.owner(actor).await {
            Ok(owner) => Ok(owner),
            Err(error @ Error::NoAddress(_)) => {
                let code = Code::FailedPrecondition;
                Err(Missed::for_now(Failure::Lookup { code, error: error.to_string() }))
            }
            Err(error) => Err(Missed::for_good(error)),
        }
    }

    /// A call that is the first of its chain gets to know so, where chains matter.
    async fn serve(&self, errand: Errand<'_>, claim: Claim) -> Result<Answer, Missed> {
        let Errand::Call { call, trace } = errand else { return self.serve_here(errand, claim).await };
        if call.reentrancy_id().is_some() || !self.hosts.reentrancy(&call.actor.actor_type).enabled {
            return self.serve_here(errand, claim).await;
        }
        let mut first = call.clone();
        first.begin_chain();
        self.serve_here(Errand::Call { call: &first, trace }, claim).await
    }

    /// Serves an errand as long as the claim holds. An actor that ends meanwhile is looked for again.
    async fn serve_here(&self, errand: Errand<'_>, mut claim: Claim) -> Result<Answer, Missed> {
        for _ in 0..AT_ONCE {
            let served = tokio::select! {
                biased;
                served = self.hosts.in_turn(errand) => served,
                () = claim.cancelled() => Err(Unserved::Gone),
            };
            match served {
                Err(Unserved::Gone) => drop(claim),
                served => return served.map_err(unserved),
            }
            claim = match self.owner(errand.actor()).await? {
                Owner::Local(claim) => claim,
                Owner::Remote(_) => break,
            };
        }
        Err(Missed::for_now(Failure::Said("actor is closed, cannot handle the call".to_owned())))
    }

    /// A host that leaves the tables may be one that hangs: nobody waits for it any longer.
    async fn pass_on(&self, errand: Errand<'_>, host: &Host, tries: u64) -> Result<Answer, Missed> {
        tokio::select! {
            biased;
            sent = self.send(errand, host, tries) => sent,
            () = self.until_given_up(errand, host) => Err(left(errand, host)),
        }
    }

    async fn until_given_up(&self, errand: Errand<'_>, host: &Host) {
        self.placement.until_left(&errand.actor().actor_type, &host.name).await;
        if let Errand::Call { .. } = errand {
            sleep(FAREWELL).await;
        }
    }

    async fn send(&self, errand: Errand<'_>, host: &Host, tries: u64) -> Result<Answer, Missed> {
        errand.begin();
        match errand {
            Errand::Call { call, trace } => {
                let request = InternalInvokeRequest::from(call.clone());
                let sent = self.neighbours.call(host, &request, trace).await;
                sent.map(Answer::from).map_err(|status| missed(host, status, tries))
            }
            Errand::Tick { tick, .. } => {
                let sent = self.neighbours.tick(host, &Reminder::from(tick)).await;
                sent.map(|()| Answer::default()).map_err(missed_tick)
            }
        }
    }
}

/// A tick may come twice, and goes to the next host. Whether a call was served nobody knows: its caller decides.
fn left(errand: Errand<'_>, host: &Host) -> Missed {
    let status = Status::unavailable(format!("the sidecar at {} does not host the actor any more", host.name));
    let failure = Failure::Status(Box::new(status));
    Missed { error: failure.into(), again: matches!(errand, Errand::Tick { .. }) }
}

/// What does not arrive may still have; the rest is worth another try.
fn missed_tick(status: Status) -> Missed {
    let again = status.code() != Code::Unavailable;
    Missed { error: Failure::Status(Box::new(status)).into(), again }
}

fn unserved(unserved: Unserved) -> Missed {
    Missed::for_good(match unserved {
        Unserved::NotHosted(actor_type) => {
            Failure::Said(format!("failed to create actor: actor type {actor_type} not registered")).into()
        }
        Unserved::TooDeep => Error::StackDepth,
        Unserved::Gone => Failure::Said("actor is closed".to_owned()).into(),
        Unserved::App(failure) => Failure::Said(failure.to_string()).into(),
    })
}

/// Whether another sidecar did not answer because the actor may be elsewhere by now.
fn missed(host: &Host, status: Status, tries: u64) -> Missed {
    let elsewhere = status.code() == Code::Internal
        && (status.message() == MOVED_SEEN || status.message().ends_with(DISSEMINATING));
    let (address, status) = (host.name.clone(), Box::new(status));
    if elsewhere || status.code() == Code::Unavailable {
        return Missed::for_now(Failure::TriedEnough { address, tries, status });
    }
    Missed::for_good(Failure::Status(status))
}

#[cfg(test)]
mod tests;
