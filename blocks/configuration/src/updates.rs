//! A subscription as a stream of updates, for a client that stays connected.
use crate::model::Update;
use crate::subscriptions::Subscriptions;
use async_trait::async_trait;
use component_api::configuration::{Items, Notify};
use futures_util::Stream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Updates that wait for a client; the store waits when there are more.
const QUEUE: usize = 64;

/// The updates of one subscription. The stream ends when the subscription does, and the other way round.
#[derive(Debug)]
pub struct Updates {
    queue: mpsc::Receiver<Update>,
    id: String,
    subscriptions: Arc<Subscriptions>,
}

/// Puts what a store tells into the stream.
#[derive(Debug)]
pub(crate) struct Feed {
    id: String,
    queue: mpsc::Sender<Update>,
}

impl Updates {
    /// A stream and its feed; the id of the subscription comes first.
    pub(crate) fn new(id: String, subscriptions: Arc<Subscriptions>) -> (Feed, Self) {
        let (sender, queue) = mpsc::channel(QUEUE);
        // The queue is empty, so that there is room.
        sender.try_send(Update { id: id.clone(), ..Update::default() }).ok();
        (Feed { id: id.clone(), queue: sender }, Self { queue, id, subscriptions })
    }
}

#[async_trait]
impl Notify for Feed {
    async fn changed(&self, items: Items) {
        // A client that has gone ends the subscription by itself.
        self.queue.send(Update { id: self.id.clone(), items }).await.ok();
    }
}

impl Stream for Updates {
    type Item = Update;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Update>> {
        self.queue.poll_recv(context)
    }
}

impl Drop for Updates {
    fn drop(&mut self) {
        self.subscriptions.remove(&self.id, None);
    }
}
