//! A session with the broker: one connection, made anew for as long as the session lives.
use crate::SCOPE;
use crate::metadata::ConnectionMetadata;
use crate::router::{Place, Router};
use crate::server::options;
use bytes::Bytes;
use component_api::{Error, Kind, Outage, Result, Task};
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, Packet, PublishOptions, QoS, SubscribeReasonCode,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How long the broker may take to answer.
const ANSWER: Duration = Duration::from_secs(20);
/// How long acknowledgements may take to go out when the session ends.
const CLOSING: Duration = Duration::from_secs(5);
/// Pause before the next try to connect; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: AsyncClient,
    router: Arc<Router>,
    server: String,
    state: watch::Receiver<State>,
    task: Mutex<Option<Task>>,
}

/// Where the connection is.
#[derive(Clone, Debug)]
enum State {
    Connecting,
    Connected,
    Away(Error),
}

impl Session {
    /// Begins to connect, in the background. It must be made within a tokio runtime.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub(crate) fn new(metadata: &ConnectionMetadata, client_id: &str) -> Result<Self> {
        let (options, server) = options(metadata, client_id)?;
        let unusable = |error| Error::invalid("the metadata cannot be used for a session").with_source(error);
        let (client, events) = AsyncClient::builder(options).try_build().map_err(unusable)?;
        let (sender, state) = watch::channel(State::Connecting);
        let router = Arc::new(Router::default());
        let driver = Driver {
            client: client.clone(),
            router: Arc::clone(&router),
            server: server.clone(),
            state: sender,
            outage: Outage::default(),
            pause: PAUSE,
        };
        let task = Task::spawn(|_| driver.run(events));
        Ok(Self { client, router, server, state, task: Mutex::new(Some(task)) })
    }

    /// Waits until the first try to connect has ended.
    ///
    /// # Errors
    /// The broker cannot be reached, or does not let us in.
    pub(crate) async fn connected(&self) -> Result<()> {
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| !matches!(state, State::Connecting));
        let settled = timeout(ANSWER, settled).await.map_err(|_| self.too_slow())?;
        match settled.map_err(|_| Error::other("component is closed"))?.clone() {
            State::Away(error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Publishes a message; returns when the broker has it, as far as the quality says.
    pub(crate) async fn publish(&self, topic: &str, data: Bytes, quality: QoS, retain: bool) -> Result<()> {
        self.connected().await?;
        let options = PublishOptions::new(quality).retain(retain);

        let sent = async {
            let notice = self.client.publish_tracked(topic, data, options).await;
            let notice = notice.map_err(|error| refused(topic, &error))?;
            notice.wait_async().await.map_err(|error| self.away(&error.to_string()))
        };
        timeout(ANSWER, sent).await.map_err(|_| self.too_slow())?.map(drop)
    }

    /// Subscribes; while the broker is away that waits for it in the background.
    ///
    /// # Errors
    /// The broker refuses.
    pub(crate) async fn subscribe(&self, filter: &str, quality: QoS) -> Result<Place> {
        let place = self.router.add(filter, quality);
        match self.ask_to_subscribe(filter, quality).await {
            Err(error) if error.is_temporary() => {
                tracing::warn!(target: SCOPE, "mqtt: subscribing to {filter} is tried again: {error}");
                Ok(place)
            }
            subscribed => subscribed.map(|()| place),
        }
    }

    async fn ask_to_subscribe(&self, filter: &str, quality: QoS) -> Result<()> {
        self.connected().await?;
        let asked = async {
            let notice = self.client.subscribe_tracked(filter, quality).await;
            let notice = notice.map_err(|error| refused(filter, &error))?;
            notice.wait_async().await.map_err(|error| self.away(&error.to_string()))
        };
        let answer = timeout(ANSWER, asked).await.map_err(|_| self.too_slow())??;
        if answer.return_codes.contains(&SubscribeReasonCode::Failure) {
            let text = format!("mqtt at {} refuses a subscription to {filter}; check the user's rights", self.server);
            return Err(Error::new(Kind::Denied, text));
        }
        Ok(())
    }

    /// Asks the broker for no more messages of a subscription.
    pub(crate) async fn unsubscribe(&self, filter: &str) {
        timeout(CLOSING, self.client.unsubscribe(filter)).await.ok();
    }

    /// Ends the session's connection after what was handled has been acknowledged.
    pub(crate) async fn close(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(task) = task else { return };
        let is_connected = matches!(*self.state.borrow(), State::Connected);
        if is_connected && self.client.disconnect_with_timeout(CLOSING).await.is_ok() {
            timeout(CLOSING, task.close()).await.ok();
        }
    }

    fn away(&self, cause: &str) -> Error {
        away(&self.server, cause)
    }

    fn too_slow(&self) -> Error {
        Error::new(Kind::Timeout, format!("mqtt at {} did not answer within {ANSWER:?}", self.server))
    }
}

fn away(server: &str, cause: &str) -> Error {
    let advice = "check that the broker runs, and its url and certificates";
    Error::new(Kind::Unavailable, format!("mqtt at {server}: {cause}; {advice}"))
}

fn refused(topic: &str, error: &rumqttc::ClientError) -> Error {
    match error {
        rumqttc::ClientError::InvalidRequest(_) => Error::invalid(format!("'{topic}' is no topic of MQTT")),
        _ => Error::other("component is closed"),
    }
}

/// The loop that drives the connection.
struct Driver {
    client: AsyncClient,
    router: Arc<Router>,
    server: String,
    state: watch::Sender<State>,
    outage: Outage,
    pause: Duration,
}

impl Driver {
    async fn run(mut self, mut events: EventLoop) {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(answer))) => self.connected(answer.session_present),
                Ok(Event::Incoming(Packet::Publish(message))) => self.router.arrived(message, &self.client),
                Ok(_) => {}
                Err(ConnectionError::RequestsDone | ConnectionError::DisconnectTimeout) => return,
                Err(error) => self.lost(&error).await,
            }
        }
    }

    fn connected(&mut self, is_same_session: bool) {
        self.router.connected(is_same_session);
        for (filter, quality) in self.router.filters() {
            if let Err(error) = self.client.try_subscribe(&filter, quality) {
                tracing::warn!(target: SCOPE, "mqtt: subscribing to {filter} again failed: {error}");
            }
        }
        if self.outage.worked() {
            tracing::info!(target: SCOPE, "mqtt: the broker at {} is there again", self.server);
        }
        self.pause = PAUSE;
        self.state.send_replace(State::Connected);
    }

    async fn lost(&mut self, error: &ConnectionError) {
        let told = self.translate(error);
        if self.outage.failed() {
            tracing::warn!(target: SCOPE, "{told}");
        }
        self.state.send_replace(State::Away(told));
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    fn translate(&self, error: &ConnectionError) -> Error {
        use ConnectReturnCode::{BadUserNamePassword, NotAuthorized};
        match error {
            ConnectionError::ConnectionRefused(BadUserNamePassword | NotAuthorized) => {
                let text = format!("mqtt at {}: {error}; check user and password of url", self.server);
                Error::new(Kind::Denied, text)
            }
            error => away(&self.server, &error.to_string()),
        }
    }
}
