//! Input bindings at work: started when the app is ready, stopped when it is not.
use crate::delivery::{Delivery, Events, SaveState};
use crate::model::Direction;
use crate::service::Service;
use component_api::Instance;
use component_api::binding::{Binding, Handle};
use component_api::pubsub::Subscription;
use foundation_app::Channel;
use foundation_drain::{Change, Drain, Places};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{sleep, timeout};

const SCOPE: &str = "dapr.runtime.processor.binding";
/// How long events in work are waited for at the end (suite.md 5.8).
const END: Duration = Duration::from_secs(30);
/// Time for answers to reach the system outside before its connection is closed, as Dapr gives it.
const LINGER: Duration = Duration::from_millis(400);

/// How input bindings are found.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long the app may take to say whether it wants the events of a binding (`--app-binding-options-timeout`).
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { patience: Duration::from_secs(3) }
    }
}

/// Keeps the input bindings at work.
pub struct Reader {
    /// None for a sidecar without an app.
    delivery: Option<Arc<Delivery>>,
    options: Options,
    drain: Drain,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    active: bool,
    ended: bool,
    at_work: Places<String, Aim, Running>,
}

/// The component that an input binding is of.
#[derive(Clone)]
struct Aim(Arc<Instance<dyn Binding>>);

impl PartialEq for Aim {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// An input binding at work.
struct Running {
    events: Arc<Events>,
    subscription: Subscription,
}

impl Reader {
    /// `app` is none for a sidecar without an app. Background work ends with the drain.
    pub fn new(
        service: Arc<Service>,
        app: Option<Arc<dyn Channel>>,
        states: Arc<dyn SaveState>,
        options: Options,
        drain: &Drain,
    ) -> Arc<Self> {
        let drain = drain.child();
        let delivery = app.map(|app| Arc::new(Delivery { service, app, states, drain: drain.clone() }));
        Arc::new(Self { delivery, options, drain, state: Mutex::default() })
    }

    /// Starts all input bindings that the app wants. To be called when the app is ready, and when it is healthy again.
    pub async fn start(self: &Arc<Self>) {
        self.state().active = true;
        self.reconcile().await;
    }

    /// Stops all input bindings when the events in work are done; [`Reader::start`] starts them again.
    pub async fn stop(self: &Arc<Self>) {
        self.state().active = false;
        self.reconcile().await;
    }

    /// Stops all input bindings for good.
    pub async fn end(self: &Arc<Self>) {
        self.drain.stop();
        self.state().ended = true;
        self.stop().await;
    }

    /// Starts and stops with the health of the app, from now until the drain stops.
    pub fn follow_health(self: &Arc<Self>) {
        let Some(delivery) = &self.delivery else { return };
        let (reader, mut health) = (Arc::clone(self), delivery.app.health().watch());
        self.drain.spawn_until_stopped(async move {
            loop {
                let healthy = *health.borrow_and_update();
                if healthy {
                    reader.start().await
                } else {
                    reader.stop().await
                }
                if health.changed().await.is_err() {
                    return;
                }
            }
        });
    }

    /// Brings what is at work in step with the components as they are now. Who gives up waiting for it leaves it to go on.
    pub async fn reconcile(self: &Arc<Self>) {
        let reader = Arc::clone(self);
        let (ends, missing) = self.change();
        let work = async move {
            join_all(ends).await;
            join_all(missing.into_iter().map(|(name, aim)| reader.bring_to_work(name, aim))).await;
        };
        self.drain.finish(work).await;
    }

    /// Returns the ends to wait for, and what has to be started.
    fn change(&self) -> (Vec<impl Future<Output = ()> + use<>>, Vec<(String, Aim)>) {
        let mut state = self.state();
        let wanted = self.wanted(&state);
        let Change { stale, missing, .. } = state.at_work.change(wanted);
        let mut ends: Vec<_> = stale.into_iter().map(Running::stop).collect();
        if state.active && !state.ended {
            // Nothing waits for the events of what is gone or replaced.
            ends.drain(..).for_each(|end| self.drain.spawn(end));
        }
        (ends, missing)
    }

    async fn bring_to_work(&self, name: String, aim: Aim) {
        let Some(running) = self.begin(&aim.0).await else { return self.state().at_work.failed(&name, &aim) };
        let unwanted = self.state().at_work.started(&name, &aim, running);
        unwanted.into_iter().for_each(|running| self.drain.spawn(running.stop()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wanted(&self, state: &State) -> BTreeMap<String, Aim> {
        let Some(delivery) = self.delivery.as_ref().filter(|_| state.active && !state.ended) else {
            return BTreeMap::new();
        };
        let all = delivery.service.bindings().all();
        let inputs = all.iter().filter(|(_, instance)| Direction::of(instance).input);
        inputs.map(|(name, instance)| (name.clone(), Aim(Arc::clone(instance)))).collect()
    }

    async fn begin(&self, instance: &Arc<Instance<dyn Binding>>) -> Option<Running> {
        let started = self.drain.token().run_until_cancelled_owned(self.try_begin(instance)).await?;
        let noted =
            started.inspect_err(|reason| tracing::warn!(target: SCOPE, "failed to read from bindings: {reason}"));
        noted.ok()?
    }

    /// None when the app wants no events of the binding.
    async fn try_begin(&self, instance: &Arc<Instance<dyn Binding>>) -> Result<Option<Running>, String> {
        let Some(delivery) = &self.delivery else { return Ok(None) };
        let name = &instance.name;
        let route = instance.properties.get("route").filter(|route| !route.is_empty()).unwrap_or(name).to_owned();
        if !self.is_wanted(delivery, instance, &route).await? {
            tracing::info!(target: SCOPE, "app has not subscribed to binding {name}.");
            return Ok(None);
        }
        let (delivery, name) = (Arc::clone(delivery), name.clone());
        let events = Events { delivery, name, route, closed: false.into(), in_work: Default::default() };
        let events = Arc::new(events);
        let handle: Arc<dyn Handle> = Arc::clone(&events) as _;
        let read = instance.component.read(handle).await;
        let failed = |error| format!("error reading from input binding {}: {error}", instance.name);
        let subscription = read.map_err(failed)?;
        Ok(Some(Running { events, subscription }))
    }

    /// A binding that is declared to be an input needs no word of the app.
    async fn is_wanted(
        &self,
        delivery: &Delivery,
        instance: &Instance<dyn Binding>,
        route: &str,
    ) -> Result<bool, String> {
        if Direction::named(&instance.properties).is_some_and(|named| named.input) {
            return Ok(true);
        }
        let asked = timeout(self.options.patience, delivery.app.wants_binding(&instance.name, route)).await;
        let problem = |reason: String| {
            format!("the app did not say whether it wants events of binding {}: {reason}", instance.name)
        };
        let said = asked.map_err(|_| problem("it takes too long".to_owned()))?;
        said.map_err(|error| problem(error.to_string()))
    }
}

impl Running {
    /// Takes no more events and waits for those in work.
    async fn stop(self) {
        let ended = timeout(END, async {
            if self.events.close().await {
                sleep(LINGER).await;
            }
            self.subscription.close().await;
        });
        if ended.await.is_err() {
            tracing::warn!(target: SCOPE, "events of input binding {} are not done in time", self.events.name);
        }
    }
}
