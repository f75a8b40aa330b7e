//! Everything that the API offers about actors, free of any transport.
use crate::actor::Actor;
use crate::app::stream::{Connection, Outbox, Streams};
use crate::app::{App, OverHttp};
use crate::error::{Error, Failure};
use crate::hosting::{Hosting, Invalid, RESERVED};
use crate::listing::{Active, Page, ago};
use crate::model::{ActorKey, Answer, Call};
use crate::network::Neighbours;
use crate::reminders::{Kept, NewReminder, Reminders};
use crate::router::Hop;
use crate::runtime::{Options, Runtime};
use crate::state::Operation;
use crate::tick::Tick;
use component_api::Live;
use component_api::state::{Item, Store};
use foundation_app::Channel;
use foundation_drain::Drain;
use foundation_peer::method::{check_name, normalise};
use foundation_peer::{Own, Peers};
use foundation_resiliency::Resiliency;
use foundation_scheduler::Deliver;
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

const SCOPE: &str = "dapr.runtime.actor";
const CALLER_ID: &str = "dapr-caller-app-id";
const CALLER_NAMESPACE: &str = "dapr-caller-namespace";

/// State of the actor runtime, as the metadata document shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuntimeStatus {
    Disabled,
    /// The app has not said yet what it hosts.
    Initializing,
    Running {
        /// The placement service is connected and this sidecar in step with the others.
        ready: bool,
        /// Active actors of each type that is hosted.
        active: BTreeMap<String, usize>,
    },
}

/// Actors.
pub struct Service {
    runtime: Option<Runtime>,
    /// Whether the app has said what it hosts.
    registered: watch::Sender<bool>,
    /// What the app hosts over HTTP.
    own_types: Mutex<Vec<String>>,
    streams: Arc<Streams>,
    dissemination_timeout: Duration,
    allows_streams: bool,
    resiliency: Resiliency,
    drain: Drain,
}

impl Service {
    /// Tasks run until the drain stops.
    pub fn new(options: Options, peers: &Arc<Peers>, stores: Live<dyn Store>, drain: &Drain) -> Self {
        let neighbours: Arc<dyn Neighbours> = Arc::clone(peers) as Arc<dyn Neighbours>;
        Self::with_neighbours(options, (peers.own(), neighbours), stores, drain)
    }

    /// The same for the sidecar `own`, which calls others in another way.
    pub fn with_neighbours(
        mut options: Options,
        (own, neighbours): (&Own, Arc<dyn Neighbours>),
        stores: Live<dyn Store>,
        drain: &Drain,
    ) -> Self {
        let service = options.placement.take();
        let runtime = service.map(|service| Runtime::new(service, &options, (own, neighbours), stores, drain));
        if runtime.is_none() {
            tracing::warn!(target: SCOPE, "Actor runtime disabled: {}. Actors and Workflow APIs will be unavailable", Error::NoPlacement);
        }
        Self {
            runtime,
            registered: watch::Sender::new(false),
            own_types: Mutex::default(),
            streams: Arc::new(Streams::new(options.resiliency.clone())),
            dissemination_timeout: options.dissemination_timeout,
            allows_streams: options.allows_streams,
            resiliency: options.resiliency,
            drain: drain.clone(),
        }
    }

    /// Starts to work: the placement service is told of this sidecar, once it is known what the app hosts.
    pub async fn start(&self) {
        let Some(runtime) = &self.runtime else { return };
        self.store_changed().await;
        let hosts = Arc::clone(&runtime.hosts);
        self.drain.spawn_until_stopped(async move { hosts.watch_idle().await });
        tracing::info!(target: SCOPE, "Using Scheduler service for reminders.");
        let reminders = Arc::clone(&runtime.reminders);
        self.drain.spawn_until_stopped(async move { reminders.follow().await });
        let (client, leaving) = (Arc::clone(&runtime.client), runtime.leaving.clone());
        let waits = runtime.state.marked().is_some();
        let mut registered = self.registered.subscribe();
        self.drain.spawn_until_stopped(async move {
            if waits && registered.wait_for(|registered| *registered).await.is_err() {
                return;
            }
            leaving.run_until_cancelled(client.run()).await;
        });
        tracing::info!(target: SCOPE, "Actor runtime started");
    }

    /// Resolves when this sidecar is in step with the others for the first time; at once without a placement service.
    pub async fn until_ready(&self) {
        if let Some(runtime) = &self.runtime {
            runtime.placement.until_ready().await;
        }
    }

    /// Looks for the state store again: without one nothing is hosted.
    pub async fn store_changed(&self) {
        if let Some(runtime) = &self.runtime {
            runtime.store.follow(runtime.state.marked(), &runtime.hosts).await;
        }
    }

    /// Hosts what an app over HTTP says in its configuration; none of it is an app without actors.
    ///
    /// # Errors
    /// [`Invalid`].
    pub fn host(&self, app: Option<&Arc<dyn Channel>>, document: Option<Value>) -> Result<(), Invalid> {
        let hosted = document.map_or(Ok(()), |document| self.host_types(app, document));
        self.registered.send_replace(true);
        hosted
    }

    fn host_types(&self, app: Option<&Arc<dyn Channel>>, document: Value) -> Result<(), Invalid> {
        let (Some(runtime), Some(app)) = (&self.runtime, app) else { return Ok(()) };
        let types = Hosting::of_json(document)?.settings(self.dissemination_timeout)?;
        if types.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = types.keys().cloned().collect();
        tracing::info!(target: SCOPE, "Registering hosted actors: {names:?}");
        let app: Arc<dyn App> = Arc::new(OverHttp::new(Arc::clone(app), self.resiliency.clone()));
        *self.own_types.lock().unwrap_or_else(PoisonError::into_inner) = names;
        runtime.hosts.register(types, &app);
        Ok(())
    }

    /// Hosts nothing of an app over HTTP any more, which is not healthy.
    pub async fn unhost(&self) {
        let names = std::mem::take(&mut *self.own_types.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(runtime) = self.runtime.as_ref().filter(|_| !names.is_empty()) {
            self.registered.send_replace(false);
            runtime.hosts.unregister(&names).await;
        }
    }

    /// Whether apps may register on a stream.
    pub(crate) fn allows_streams(&self) -> bool {
        self.allows_streams
    }

    /// Hosts what an app says on its stream.
    pub(crate) fn open_stream(&self, hosting: &Hosting, outbox: Outbox) -> Result<Arc<Connection>, Invalid> {
        let types = hosting.settings(self.dissemination_timeout)?;
        let connection = self.streams.open(types.keys().cloned().collect(), outbox);
        if let Some(runtime) = self.runtime.as_ref().filter(|_| !types.is_empty()) {
            tracing::info!(target: SCOPE, "Registering hosted actors: {:?}", connection.entities);
            let app: Arc<dyn App> = Arc::clone(&self.streams) as Arc<dyn App>;
            runtime.hosts.register(types, &app);
        }
        self.registered.send_replace(true);
        Ok(connection)
    }

    /// A stream is over.
    pub(crate) async fn close_stream(&self, connection: &Arc<Connection>) {
        let names = self.streams.close(connection);
        if let Some(runtime) = self.runtime.as_ref().filter(|_| !names.is_empty()) {
            self.registered.send_replace(false);
            runtime.hosts.unregister(&names).await;
        }
    }

    /// The tasks of this service.
    pub(crate) fn drain(&self) -> &Drain {
        &self.drain
    }

    /// Gives all actors to other hosts, and lets go of the placement service.
    pub async fn end(&self) {
        let Some(runtime) = &self.runtime else { return };
        runtime.end().await;
    }

    /// The state of the runtime.
    pub fn status(&self) -> RuntimeStatus {
        let Some(runtime) = &self.runtime else { return RuntimeStatus::Disabled };
        if !*self.registered.borrow() {
            return RuntimeStatus::Initializing;
        }
        RuntimeStatus::Running { ready: runtime.placement.is_ready(), active: runtime.hosts.counts() }
    }

    /// Active actors of a type on this sidecar, at most `limit` that come after an id.
    ///
    /// # Errors
    /// [`Error::NoPlacement`] and [`Error::Reserved`].
    pub fn active(&self, actor_type: &str, after: &str, limit: usize) -> Result<Page, Error> {
        let runtime = self.runtime()?;
        allowed(actor_type)?;
        let (found, is_last) = runtime.hosts.page(actor_type, after, limit);
        let now = Timestamp::now();
        let shown = |actor: Arc<Actor>| Active {
            id: actor.id.to_string(),
            last_used: ago(now, runtime.hosts.unused(&actor)),
            state: actor.sizes.sum(),
        };
        let actors: Vec<_> = found.into_iter().map(shown).collect();
        let next = actors.last().filter(|_| !is_last).map(|last| last.id.clone());
        Ok(Page {
            actor_type: actor_type.to_owned(),
            host: runtime.placement.own().to_owned(),
            app_id: runtime.app_id.clone(),
            hosts: runtime.placement.hosts_of(actor_type),
            actors,
            measured: false,
            next,
        })
    }

    /// Asks the store for the sizes of all states on a page, and reads all of them for that.
    ///
    /// # Errors
    /// [`Error::NoPlacement`], [`Error::NoStateStore`], [`Error::Unmeasurable`] and [`Error::GetState`].
    pub async fn measure(&self, mut page: Page) -> Result<Page, Error> {
        let known = page.actors.iter().map(|actor| (actor.id.clone(), actor.state)).collect();
        let sizes = self.runtime()?.state.measure(&page.actor_type, known).await?;
        for actor in &mut page.actors {
            actor.state = sizes.get(&actor.id).copied().unwrap_or_default();
        }
        page.measured = true;
        Ok(page)
    }

    /// Calls a method of an actor, for a client of this sidecar. `trace` are headers of the call to another sidecar.
    ///
    /// # Errors
    /// [`Error`]; an answer that is the actor's own error is none.
    pub async fn invoke(&self, mut call: Call, trace: &HeaderMap) -> Result<Answer, Error> {
        let runtime = self.runtime()?;
        check(&call.actor)?;
        call.method = normalise(&call.method)?;
        call.metadata.set("Dapr-Api-Call", "true");
        call.metadata.set(CALLER_ID, &runtime.app_id);
        call.metadata.set(CALLER_NAMESPACE, &runtime.namespace);
        let policy = self.resiliency.actor_before_turn(&call.actor.actor_type, &call.actor.id);
        let called = policy.run(|| async { runtime.router.call(&call, Hop::First, trace).await.map_err(Attempt) });
        let said = |text: &str| Attempt(Failure::Said(text.to_owned()).into());
        called.await.map_err(|error| error.failure_or_else(said).0)
    }

    /// Calls a method of an actor, for another sidecar.
    pub(crate) async fn invoke_for_peer(&self, mut call: Call) -> Result<Answer, Error> {
        call.metadata.set("X-Dapr-Remote", "true");
        self.runtime()?.router.call(&call, Hop::Last, &HeaderMap::new()).await
    }

    /// Tells an actor of a timer or a reminder, for another sidecar.
    pub(crate) async fn tick_for_peer(&self, tick: &Tick) -> Result<(), Error> {
        self.runtime()?.router.tick(tick, Hop::Last).await
    }

    /// Reads a key of an actor; nothing when there is none.
    ///
    /// # Errors
    /// [`Error::Reserved`], [`Error::Name`], [`Error::NoStateStore`] and [`Error::GetState`].
    pub async fn get_state(&self, actor: &ActorKey, key: &str) -> Result<Option<Item>, Error> {
        let runtime = self.admit(&actor.actor_type)?;
        check(actor)?;
        runtime.state.get(actor, key).await
    }

    /// Does all operations on the state of an actor, or none of them. The actor must be active here.
    ///
    /// # Errors
    /// [`Error::Reserved`], [`Error::Name`], [`Error::InstanceMissing`], [`Error::NoStateStore`] and [`Error::SaveState`].
    pub async fn transact(&self, actor: &ActorKey, operations: Vec<Operation>) -> Result<(), Error> {
        let runtime = self.admit(&actor.actor_type)?;
        check(actor)?;
        runtime.state.transact(actor, operations).await
    }

    /// Starts a timer, in the place of the one with its name. `ttl` is when it ends; empty is never.
    ///
    /// # Errors
    /// [`Error::Reserved`], [`Error::Name`] and [`Error::CreateTimer`].
    pub fn create_timer(&self, tick: Tick, ttl: &str) -> Result<(), Error> {
        let runtime = self.admit(&tick.actor.actor_type)?;
        check(&tick.actor)?;
        check_name(&tick.name).map_err(|reason| Error::Name { what: "", reason })?;
        runtime.timers.create(tick, ttl)
    }

    /// Ends a timer; one that is not there is no error.
    ///
    /// # Errors
    /// [`Error::Reserved`].
    pub fn delete_timer(&self, actor: ActorKey, name: String) -> Result<(), Error> {
        self.admit(&actor.actor_type)?.timers.delete(actor, name);
        Ok(())
    }

    /// Makes a reminder.
    ///
    /// # Errors
    /// [`Error::Reserved`], [`Error::Name`], [`Error::ReminderNotHosted`], [`Error::ReminderExists`] and
    /// [`Error::CreateReminder`].
    pub async fn create_reminder(&self, reminder: NewReminder) -> Result<(), Error> {
        let reminders = self.reminders(&reminder.actor.actor_type)?;
        check(&reminder.actor)?;
        check_name(&reminder.name).map_err(|reason| Error::Name { what: "", reason })?;
        reminders.create(reminder).await
    }

    /// Reads a reminder.
    ///
    /// # Errors
    /// [`Error::Reserved`], [`Error::ReminderNotHosted`], [`Error::NoReminder`] and [`Error::GetReminder`].
    pub async fn reminder(&self, actor: ActorKey, name: String) -> Result<Kept, Error> {
        self.reminders(&actor.actor_type)?.get(actor, name).await
    }

    /// Lists the reminders of a type, or of one of its actors.
    ///
    /// # Errors
    /// [`Error::Reserved`], [`Error::ReminderNotHosted`] and [`Error::Scheduler`].
    pub async fn list_reminders(&self, actor_type: String, id: Option<String>) -> Result<Vec<Kept>, Error> {
        self.reminders(&actor_type)?.list(actor_type, id).await
    }

    /// Deletes a reminder; one that is not there is no error.
    ///
    /// # Errors
    /// [`Error::Reserved`], [`Error::ReminderNotHosted`] and [`Error::DeleteReminder`].
    pub async fn delete_reminder(&self, actor: &ActorKey, name: String) -> Result<(), Error> {
        self.reminders(&actor.actor_type)?.delete(actor, name).await
    }

    /// Deletes all reminders of a type, or of one of its actors.
    ///
    /// # Errors
    /// [`Error::Reserved`], [`Error::ReminderNotHosted`] and [`Error::DeleteReminder`].
    pub async fn delete_reminders(&self, actor_type: String, id: Option<String>) -> Result<(), Error> {
        self.reminders(&actor_type)?.delete_all(actor_type, id).await
    }

    /// Takes reminders that are due; none without a placement service.
    pub fn due_reminders(&self) -> Option<Arc<dyn Deliver>> {
        self.runtime.as_ref().map(|runtime| Arc::clone(&runtime.due) as Arc<dyn Deliver>)
    }

    fn reminders(&self, actor_type: &str) -> Result<&Reminders, Error> {
        Ok(&self.admit(actor_type)?.reminders)
    }

    /// What is asked before all else of a request, as in Dapr: whether users may have such actors, and whether there are any.
    pub(crate) fn admit(&self, actor_type: &str) -> Result<&Runtime, Error> {
        allowed(actor_type)?;
        self.runtime()
    }

    fn runtime(&self) -> Result<&Runtime, Error> {
        self.runtime.as_ref().ok_or(Error::NoPlacement)
    }
}

/// What a policy sees of a failed call.
struct Attempt(Error);

impl foundation_resiliency::Failure for Attempt {}

fn check(actor: &ActorKey) -> Result<(), Error> {
    check_name(&actor.actor_type).map_err(|reason| Error::Name { what: "actorType", reason })?;
    check_name(&actor.id).map_err(|reason| Error::Name { what: "actorId", reason })
}

/// Types of the runtime itself are not for users.
fn allowed(actor_type: &str) -> Result<(), Error> {
    if actor_type.starts_with(RESERVED) { Err(Error::Reserved(actor_type.to_owned())) } else { Ok(()) }
}
