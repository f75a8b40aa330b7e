//! Which subscription a message is for.
use crate::SCOPE;
use crate::filter::matches;
use crate::ledger::{Arrival, Ledger};
use rumqttc::{AsyncClient, Publish, QoS};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// As many messages as the protocol has numbers for.
const MESSAGES: usize = 65_536;

/// Subscriptions, and the messages that wait for one.
#[derive(Debug, Default)]
pub(crate) struct Router(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    ledger: Ledger,
    next: u64,
    routes: Vec<Route>,
    /// Messages of the session for which there is no subscription (yet), or no more.
    waiting: VecDeque<Publish>,
}

#[derive(Debug)]
struct Route {
    number: u64,
    filter: String,
    quality: QoS,
    messages: Sender<Held>,
}

/// A message in our hands. If it is dropped before it was handled, it goes to another subscription, or
/// waits for one.
#[derive(Debug)]
pub(crate) struct Held {
    router: Arc<Router>,
    message: Option<Publish>,
}

/// A subscription's place in the table; it ends with this value.
#[derive(Debug)]
pub(crate) struct Place {
    router: Arc<Router>,
    number: u64,
    pub(crate) messages: Receiver<Held>,
}

impl Router {
    /// Adds a subscription, which gets what waited for it first.
    pub(crate) fn add(self: &Arc<Self>, filter: &str, quality: QoS) -> Place {
        let (sender, messages) = channel(MESSAGES);
        let (number, waiting) = {
            let mut table = self.table();
            table.next += 1;
            let (number, filter) = (table.next, filter.to_owned());
            table.routes.push(Route { number, filter, quality, messages: sender });
            (number, std::mem::take(&mut table.waiting))
        };
        waiting.into_iter().for_each(|message| self.route(message));
        Place { router: Arc::clone(self), number, messages }
    }

    /// Filters of all subscriptions.
    pub(crate) fn filters(&self) -> Vec<(String, QoS)> {
        self.table().routes.iter().map(|route| (route.filter.clone(), route.quality)).collect()
    }

    pub(crate) fn connected(&self, is_same_session: bool) {
        let mut table = self.table();
        table.ledger.connected(is_same_session);
        if !is_same_session {
            table.waiting.clear();
        }
    }

    /// Takes a message from the broker.
    pub(crate) fn arrived(self: &Arc<Self>, message: Publish, client: &AsyncClient) {
        let arrival = self.table().ledger.arrived(&message);
        match arrival {
            Arrival::Handle => self.route(message),
            Arrival::InHand => {}
            Arrival::Done => {
                self.table().ledger.handled(&message);
                client.try_ack(&message).ok();
            }
        }
    }

    fn route(self: &Arc<Self>, message: Publish) {
        let topic = String::from_utf8_lossy(&message.topic).into_owned();
        let found = {
            let table = self.table();
            let mut routes = table.routes.iter();
            routes.find(|route| matches(&route.filter, &topic)).map(|route| route.messages.clone())
        };
        match found {
            Some(messages) => {
                let held = Held { router: Arc::clone(self), message: Some(message) };
                let back = messages.try_send(held).err().and_then(|error| error.into_inner().message.take());
                back.into_iter().for_each(|message| self.keep(message));
            }
            None => self.keep(message),
        }
    }

    /// What the broker will not send again is not kept.
    fn keep(&self, message: Publish) {
        let mut table = self.table();
        if message.qos != QoS::AtMostOnce && table.waiting.len() < MESSAGES {
            table.waiting.push_back(message);
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    pub(crate) fn message(&self) -> Option<&Publish> {
        self.message.as_ref()
    }

    /// It was handled, and the broker is told so.
    pub(crate) async fn handled(mut self, client: &AsyncClient) {
        let Some(message) = self.message.take() else { return };
        let is_known = self.router.table().ledger.handled(&message);
        if is_known && client.ack(&message).await.is_err() {
            tracing::debug!(target: SCOPE, "mqtt: a message will come again: the connection has ended");
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(message) = self.message.take() {
            self.router.route(message);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.router.table().routes.retain(|route| route.number != self.number);
    }
}
