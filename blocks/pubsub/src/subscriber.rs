//! The subscriptions of the app: started when it is ready, stopped when it is not, and kept in step with brokers and
//! resources that come and go.
use crate::at_work::{AtWork, Key, Startable};
use crate::delivery::SCOPE;
use crate::receiver::{App, Receiver};
use crate::rules::InvalidRule;
use crate::running::Running;
use crate::service::Service;
use crate::wanted::{Declared, Kind, Listed, Wish, Wishes};
use arc_swap::ArcSwap;
use component_api::pubsub::{Broker, Publishing};
use component_api::{Instance, Metadata};
use foundation_app::{Channel, Subscription};
use foundation_drain::{Change, Drain, until_done};
use foundation_resiliency::{self as resiliency, BuiltIn, Policy};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// How long a broker may take to pause.
const PAUSING: Duration = Duration::from_secs(5);

/// How subscriptions are found.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Ask the app (`--disable-init-endpoints subscribe` says no).
    pub ask_app: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { ask_app: true }
    }
}

/// Keeps the subscriptions of the app.
pub struct Subscriber {
    service: Arc<Service>,
    app: Option<Arc<dyn Channel>>,
    options: Options,
    drain: Drain,
    /// The last event has its verdict.
    ended: CancellationToken,
    wishes: Mutex<Wishes>,
    /// The brokers as they were when everything was brought in step with them.
    in_step: ArcSwap<BTreeMap<String, Arc<Instance<dyn Broker>>>>,
    /// Held while the app is asked, so that it is asked once.
    asking: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

/// What is at work.
#[derive(Default)]
struct State {
    active: bool,
    ended: bool,
    at_work: AtWork,
    /// A task is at it to start what could not be started.
    retrying: bool,
    streams: u64,
}

impl State {
    fn next_stream(&mut self) -> Result<u64, Status> {
        if self.ended {
            return Err(Status::unknown("subscriber is closed"));
        }
        self.streams += 1;
        Ok(self.streams)
    }
}

impl Subscriber {
    /// `app` is none for a sidecar without an app. Background work ends with the drain.
    pub fn new(service: Arc<Service>, app: Option<Arc<dyn Channel>>, options: Options, drain: &Drain) -> Arc<Self> {
        Arc::new(Self {
            service,
            app,
            options,
            drain: drain.child(),
            ended: CancellationToken::new(),
            wishes: Mutex::default(),
            in_step: ArcSwap::default(),
            asking: tokio::sync::Mutex::default(),
            state: Mutex::default(),
        })
    }

    /// Adds a Subscription resource, or replaces the one of that name; [`Subscriber::reconcile`] makes it work and lists it.
    ///
    /// # Errors
    /// An expression that is not CEL; then nothing changes.
    pub fn declare(&self, declared: Declared) -> Result<(), InvalidRule> {
        self.wishes().declare(declared)
    }

    /// Whether a Subscription resource could be declared.
    ///
    /// # Errors
    /// As [`Subscriber::declare`].
    pub fn check(declared: Declared) -> Result<(), InvalidRule> {
        Wishes::check(declared)
    }

    /// Takes a Subscription resource out; [`Subscriber::reconcile`] ends its work.
    pub fn undeclare(&self, name: &str) {
        self.wishes().undeclare(name);
    }

    /// Starts all subscriptions. To be called when the app is ready, and when it is healthy again.
    pub async fn start(self: &Arc<Self>) {
        self.state().active = true;
        self.reconcile().await;
    }

    /// Stops all subscriptions when the events in work are done; [`Subscriber::start`] starts them again.
    pub async fn stop(self: &Arc<Self>) {
        self.state().active = false;
        self.reconcile().await;
    }

    /// Stops all subscriptions for good, those of streams too.
    pub async fn end(self: &Arc<Self>, publishing: Publishing) {
        self.drain.stop();
        self.pause_brokers(publishing).await;
        self.state().ended = true;
        self.stop().await;
        self.ended.cancel();
    }

    /// So that what brokers have sent ahead is delivered before the end.
    async fn pause_brokers(&self, publishing: Publishing) {
        let named = |aim: &Startable| (aim.broker.name.clone(), Arc::clone(&aim.broker));
        let in_use: BTreeMap<_, _> = self.state().at_work.aims().map(named).collect();
        join_all(in_use.values().map(|broker| pause(broker, publishing))).await;
    }

    /// Starts and stops with the health of the app, from now until the drain stops.
    pub fn follow_health(self: &Arc<Self>) {
        let Some(app) = &self.app else { return };
        let (subscriber, mut health) = (Arc::clone(self), app.health().watch());
        self.drain.spawn_until_stopped(async move {
            loop {
                let healthy = *health.borrow_and_update();
                if healthy {
                    subscriber.start().await
                } else {
                    subscriber.stop().await
                }
                if health.changed().await.is_err() {
                    return;
                }
            }
        });
    }

    /// Brings the subscriptions at work in step with the brokers and the resources as they are now. Where a broker fails
    /// it is tried again in the background. The app is asked if there was no broker until now. Who gives up waiting for it
    /// leaves it to go on.
    pub async fn reconcile(self: &Arc<Self>) {
        let subscriber = Arc::clone(self);
        self.drain.finish(async move { subscriber.bring_in_step().await }).await;
    }

    /// Whether the subscriptions of a broker were brought in step with it.
    pub fn is_in_step(&self, broker: &Arc<Instance<dyn Broker>>) -> bool {
        self.in_step.load().get(&broker.name).is_some_and(|known| Arc::ptr_eq(known, broker))
    }

    /// The subscriptions, in the order of the metadata API.
    pub fn list(&self) -> Vec<Listed> {
        self.wishes().listed()
    }

    fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the subscription of a stream and starts it. Returns its number.
    pub(crate) async fn open_stream(
        &self,
        subscription: Subscription,
        receiver: Arc<dyn Receiver>,
    ) -> Result<u64, Status> {
        let pubsub = subscription.pubsub.clone();
        let number = self.state().next_stream()?;
        let broker = self.service.find(&pubsub, &subscription.topic, &Metadata::new())?;
        let failed = |reason: String| Status::unknown(format!("failed to create subscription for {pubsub}: {reason}"));
        let wish = Wish::new(Kind::Streaming, subscription).map_err(|error| failed(error.to_string()))?;
        let startable = Startable { wish: wish.clone(), broker, receiver: Arc::clone(&receiver) };
        let running = self.begin(&startable).await.map_err(failed)?;
        let mut state = self.state();
        let is_there = self.service.brokers().get(&pubsub).is_some_and(|now| Arc::ptr_eq(&now, &startable.broker));
        if state.ended || !is_there {
            return Err(failed("its component was replaced meanwhile, subscribe again".to_owned()));
        }
        state.at_work.add(Key::Stream(number), startable, running);
        self.wishes().open_stream(number, wish, receiver);
        Ok(number)
    }

    /// Ends the subscription of a stream.
    pub(crate) async fn close_stream(&self, number: u64) {
        self.wishes().close_stream(number);
        let running = self.state().at_work.remove(&Key::Stream(number));
        if let Some(running) = running {
            running.stop().await;
        }
    }

    /// Where tasks of streams belong; they end by themselves after [`Subscriber::has_ended`].
    pub(crate) fn drain(&self) -> &Drain {
        &self.drain
    }

    /// Resolves when no event is in work any more.
    pub(crate) async fn has_ended(&self) {
        self.ended.cancelled().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn bring_in_step(self: &Arc<Self>) {
        let active = self.state().active;
        if active {
            self.drain.token().run_until_cancelled_owned(self.ask_app()).await;
        }
        if !self.try_reconcile().await {
            self.retry_in_background();
        }
    }

    /// Whether everything wanted is at work.
    async fn try_reconcile(self: &Arc<Self>) -> bool {
        let brokers = self.service.brokers().all();
        let (ends, missing, change) = self.change();
        join_all(ends).await;
        let started = join_all(missing.into_iter().map(|(key, aim)| self.bring_to_work(key, aim))).await;
        if self.state().at_work.is_last(change) {
            self.in_step.store(brokers);
            self.wishes().settle();
        }
        started.into_iter().all(|is_at_work| is_at_work)
    }

    /// Returns the ends to wait for, what has to be started, and the number of the change.
    fn change(&self) -> (Vec<impl Future<Output = ()> + use<>>, Vec<(Key, Startable)>, u64) {
        let mut state = self.state();
        let wanted = self.wanted(&state);
        let Change { stale, missing, number } = state.at_work.change(wanted);
        let mut ends: Vec<_> = stale.into_iter().map(Running::stop).collect();
        if state.active && !state.ended {
            // Nothing waits for the events of what is gone or replaced.
            ends.drain(..).for_each(|end| self.drain.spawn(end));
        }
        (ends, missing, number)
    }

    /// Whether it could be started.
    async fn bring_to_work(&self, key: Key, aim: Startable) -> bool {
        let Ok(running) = self.begin(&aim).await else {
            self.state().at_work.failed(&key, &aim);
            return false;
        };
        let unwanted = self.state().at_work.started(&key, &aim, running);
        unwanted.into_iter().for_each(|running| self.drain.spawn(running.stop()));
        true
    }

    /// What shall be at work, of brokers that are there.
    fn wanted(&self, state: &State) -> BTreeMap<Key, Startable> {
        if state.ended {
            return BTreeMap::new();
        }
        let of_app = self.wishes().of_app();
        let streams = self.wishes().streams();
        let app = self.app.as_ref().filter(|_| state.active);
        let of_app = app.into_iter().flat_map(|app| {
            let receiver: Arc<dyn Receiver> = Arc::new(App(Arc::clone(app)));
            let key = |wish: &Wish| Key::App(wish.subscription.pubsub.clone(), wish.subscription.topic.clone());
            of_app.iter().map(move |wish| (key(wish), wish.clone(), Arc::clone(&receiver)))
        });
        let streams = streams.into_iter().map(|(number, wish, receiver)| (Key::Stream(number), wish, receiver));
        let startable = |(key, wish, receiver): (Key, Wish, _)| {
            let broker = self.service.brokers().get(&wish.subscription.pubsub)?;
            Some((key, Startable { wish, broker, receiver }))
        };
        of_app.chain(streams).filter_map(startable).collect()
    }

    async fn begin(&self, startable: &Startable) -> Result<Running, String> {
        let Startable { wish, broker, receiver } = startable;
        let start = Running::start(&self.service, Arc::clone(receiver), broker, wish);
        let started = self.drain.token().run_until_cancelled_owned(start).await;
        started.unwrap_or_else(|| Err("the sidecar is ending".to_owned())).inspect_err(|reason| {
            let Subscription { pubsub, topic, .. } = &wish.subscription;
            tracing::error!(target: SCOPE, "Failed to start subscription for pubsub {pubsub}, topic {topic}: {reason}");
        })
    }

    fn retry_in_background(self: &Arc<Self>) {
        if std::mem::replace(&mut self.state().retrying, true) {
            return;
        }
        let subscriber = Arc::clone(self);
        self.drain.spawn_until_stopped(async move {
            until_done(|| subscriber.try_reconcile()).await;
            subscriber.state().retrying = false;
        });
    }

    /// Asks the app once for its subscriptions, when there is a broker at all.
    async fn ask_app(&self) {
        let Some(app) = &self.app else { return };
        let _alone = self.asking.lock().await;
        if self.wishes().app_was_asked() || self.service.brokers().is_empty() {
            return;
        }
        let policy = self.service.resiliency().built_in(BuiltIn::InitializationRetries);
        let subscriptions = if self.options.ask_app { subscriptions_of(&**app, &policy).await } else { not_asked() };
        announce(&subscriptions);
        if let Err(error) = self.wishes().app_said(subscriptions) {
            tracing::error!(target: SCOPE, "{error}");
        }
    }
}

async fn pause(broker: &Instance<dyn Broker>, publishing: Publishing) {
    let problem = match timeout(PAUSING, broker.component.pause(publishing)).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it takes too long".to_owned(),
    };
    tracing::warn!(target: SCOPE, "cannot pause {} before the end: {problem}", broker.name);
}

fn not_asked() -> Vec<Subscription> {
    tracing::warn!(target: SCOPE, "Skipping programmatic subscription loading (see 'disable-init-endpoints' flag/annotation)");
    Vec::new()
}

/// Why the app does not say what it is subscribed to.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Silent(foundation_app::Error);

impl resiliency::Failure for Silent {
    fn is_permanent(&self) -> bool {
        !self.0.is_temporary()
    }
}

async fn subscriptions_of(app: &dyn Channel, policy: &Policy) -> Vec<Subscription> {
    let said = policy.run(|| async { app.subscriptions().await.map_err(Silent) }).await;
    said.unwrap_or_else(|error| {
        tracing::error!(target: SCOPE, "error getting topic list from app: {error}");
        Vec::new()
    })
}

fn announce(subscriptions: &[Subscription]) {
    let mut topics: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in subscriptions {
        topics.entry(&one.pubsub).or_default().push(&one.topic);
    }
    for (pubsub, topics) in topics {
        let topics = topics.join(" ");
        tracing::info!(target: SCOPE, "app is subscribed to the following topics: [[{topics}]] through pubsub={pubsub}");
    }
}
