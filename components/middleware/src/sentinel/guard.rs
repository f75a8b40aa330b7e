//! Who passes: all rules of a component together.
use super::breaker::Breaker;
use super::entry::{Entry, Outcome};
use super::flow::Flow;
use super::rules::Rules;
use super::system::System;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Which kind of rule refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blocked {
    System,
    Flow,
    Isolation,
    Breaker,
}

/// The rules, and what is known of the resources that they name.
pub(super) struct Guard {
    begun: Instant,
    resources: HashMap<String, usize>,
    watches_all: bool,
    state: Mutex<State>,
}

struct State {
    system: System,
    flows: Vec<Flow>,
    resources: Vec<Resource>,
}

#[derive(Default)]
struct Resource {
    /// Rules for it, and rules that count its requests.
    flows: Vec<usize>,
    counted_in: Vec<usize>,
    most: Option<u32>,
    running: u32,
    breakers: Vec<Breaker>,
}

impl Guard {
    pub(super) fn new(rules: Rules) -> Self {
        let watches_all = !rules.system.is_empty();
        let (resources, state) = State::new(rules);
        Self { begun: Instant::now(), resources, watches_all, state: Mutex::new(state) }
    }

    /// A resource that rules name.
    pub(super) fn resource(&self, name: &str) -> Option<usize> {
        self.resources.get(name).copied()
    }

    /// Whether there are rules about all requests.
    pub(super) fn watches_all(&self) -> bool {
        self.watches_all
    }

    /// Lets a request pass, if need be when its turn has come.
    ///
    /// # Errors
    /// A rule refuses it.
    pub(super) async fn enter(self: &Arc<Self>, resource: Option<usize>) -> Result<Entry, Blocked> {
        self.state().system.check(self.now())?;
        let flows = resource.map(|resource| self.state().resources[resource].flows.clone()).unwrap_or_default();
        for flow in flows {
            let wait = self.state().flows[flow].queue(self.now())?;
            if wait > Duration::ZERO {
                tokio::time::sleep(wait).await;
            }
        }
        let now = self.now();
        self.state().enter(resource, now)?;
        Ok(Entry::new(Arc::clone(self), resource, now))
    }

    /// A request that had entered is over.
    pub(super) fn leave(&self, resource: Option<usize>, entered: Duration, outcome: Outcome) {
        let now = self.now();
        self.state().leave(resource, now, now.saturating_sub(entered), outcome);
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A poisoned lock holds what it held: no code panics while it has one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(rules: Rules) -> (HashMap<String, usize>, Self) {
        let mut names = HashMap::new();
        let mut state = Self { system: System::new(rules.system), flows: Vec::new(), resources: Vec::new() };
        for rule in rules.flow {
            let flow = state.flows.len();
            state.resource(&mut names, &rule.resource).flows.push(flow);
            state.resource(&mut names, &rule.counted).counted_in.push(flow);
            state.flows.push(Flow::new(&rule));
        }
        for rule in rules.isolation {
            let most = &mut state.resource(&mut names, &rule.resource).most;
            *most = Some(most.map_or(rule.most, |most| most.min(rule.most)));
        }
        for rule in rules.breakers {
            state.resource(&mut names, &rule.resource).breakers.push(Breaker::new(rule));
        }
        (names, state)
    }

    fn resource(&mut self, names: &mut HashMap<String, usize>, name: &str) -> &mut Resource {
        let index = *names.entry(name.to_owned()).or_insert(self.resources.len());
        if index == self.resources.len() {
            self.resources.push(Resource::default());
        }
        &mut self.resources[index]
    }

    fn enter(&mut self, resource: Option<usize>, now: Duration) -> Result<(), Blocked> {
        if let Some(resource) = resource.map(|resource| &mut self.resources[resource]) {
            if resource.flows.iter().any(|flow| self.flows[*flow].is_full(now)) {
                return Err(Blocked::Flow);
            }
            resource.enter(now)?;
            resource.counted_in.iter().for_each(|flow| self.flows[*flow].count(now));
        }
        self.system.enter(now);
        Ok(())
    }

    fn leave(&mut self, resource: Option<usize>, now: Duration, took: Duration, outcome: Outcome) {
        if let Some(resource) = resource.map(|resource| &mut self.resources[resource]) {
            resource.running = resource.running.saturating_sub(1);
            resource.breakers.iter_mut().for_each(|breaker| breaker.complete(now, took, outcome));
        }
        self.system.leave(now, took);
    }
}

impl Resource {
    fn enter(&mut self, now: Duration) -> Result<(), Blocked> {
        if self.most.is_some_and(|most| self.running >= most) {
            return Err(Blocked::Isolation);
        }
        if !self.breakers.iter().all(|breaker| breaker.lets_pass(now)) {
            return Err(Blocked::Breaker);
        }
        self.breakers.iter_mut().for_each(Breaker::pass);
        self.running += 1;
        Ok(())
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "a system rule is exceeded",
            Self::Flow => "a flow rule is exceeded",
            Self::Isolation => "an isolation rule is exceeded",
            Self::Breaker => "a circuit breaker is open",
        })
    }
}
