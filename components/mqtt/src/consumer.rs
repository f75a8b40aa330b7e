//! The loop of a subscription: messages are handled at the same time, and tried again until the app takes them.
use crate::router::{Held, Place};
use async_trait::async_trait;
use component_api::pubsub::Subscription;
use component_api::{Ending, Task};
use futures_util::stream::{FuturesUnordered, StreamExt};
use rumqttc::{AsyncClient, Publish};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How many messages are handled at the same time.
const AT_ONCE: usize = 1000;
/// Pause before a message is tried again; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What is done with a message.
#[async_trait]
pub(crate) trait Work: Send + Sync + 'static {
    /// Returns whether the app is done with it. The broker sends it again only over another connection, so it is tried again
    /// here.
    async fn handle(&self, message: &Publish) -> bool;

    /// After the last message.
    async fn end(&self);
}

/// Handles messages until the subscription is closed or dropped, or the component ends.
pub(crate) fn consume(
    place: Place,
    client: AsyncClient,
    work: Arc<dyn Work>,
    component: CancellationToken,
) -> Subscription {
    Subscription::new(Task::spawn(|subscription| async move {
        let ending = Ending { subscription, component };
        run(place, &client, &*work, &ending).await;
        work.end().await;
    }))
}

/// Messages at work at the end are finished first.
async fn run(mut place: Place, client: &AsyncClient, work: &dyn Work, ending: &Ending) {
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            () = ending.comes() => break,
            Some(()) = running.next() => {}
            Some(held) = place.messages.recv(), if running.len() < AT_ONCE => {
                running.push(handle(held, client, work, ending));
            }
        }
    }
    drop(place);
    while running.next().await.is_some() {}
}

async fn handle(held: Held, client: &AsyncClient, work: &dyn Work, ending: &Ending) {
    let mut pause = PAUSE;
    loop {
        let Some(message) = held.message() else { return };
        if work.handle(message).await {
            return held.handled(client).await;
        }
        tokio::select! {
            () = ending.comes() => return,
            () = sleep(pause) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
