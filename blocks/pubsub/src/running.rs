//! A subscription at work.
use crate::bulk_delivery::collect;
use crate::delivery::Delivery;
use crate::receiver::Receiver;
use crate::service::Service;
use crate::wanted::Wish;
use component_api::pubsub::{Broker, Deliver, Subscription};
use component_api::{Instance, Task};
use foundation_app::BulkSubscribe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::timeout;

/// How long subscribing may take.
const START: Duration = Duration::from_secs(60);
/// How long events in work are waited for at the end (suite.md 5.8).
const END: Duration = Duration::from_secs(30);

/// A subscription at a broker, and what feeds on it.
pub(crate) struct Running {
    delivery: Arc<Delivery>,
    subscription: Subscription,
    collector: Option<Task>,
}

impl Running {
    /// Subscribes.
    ///
    /// # Errors
    /// Scopes forbid it, or the broker cannot.
    pub(crate) async fn start(
        service: &Arc<Service>,
        receiver: Arc<dyn Receiver>,
        broker: &Instance<dyn Broker>,
        wish: &Wish,
    ) -> Result<Self, String> {
        let subscription = wish.subscription.clone();
        let topics = service.topics(broker);
        let (pubsub, topic) = (&subscription.pubsub, &subscription.topic);
        if !topics.may_subscribe(topic) {
            return Err(format!("subscription to topic '{topic}' on pubsub '{pubsub}' is not allowed"));
        }
        let at_broker = topics.at_broker(topic).into_owned();
        let delivery = Arc::new(Delivery {
            service: Arc::clone(service),
            receiver,
            rules: wish.rules.clone(),
            topics,
            closing: AtomicBool::new(false),
            subscription: subscription.clone(),
        });
        let (deliver, collector) = deliverer(&delivery, subscription.bulk, &*broker.component);
        let subscribed = timeout(START, broker.component.subscribe(&at_broker, subscription.metadata.clone(), deliver));
        let problem = |reason: String| format!("failed to subscribe to topic {topic}: {reason}");
        let subscribed = subscribed.await.map_err(|_| problem("the broker takes too long".to_owned()))?;
        let at_work = subscribed.map_err(|error| problem(error.to_string()))?;
        Ok(Self { delivery, subscription: at_work, collector })
    }

    /// Takes no more events and waits for those in work.
    pub(crate) async fn stop(self) {
        self.delivery.closing.store(true, Ordering::Relaxed);
        let collector = async {
            if let Some(collector) = self.collector {
                collector.close().await;
            }
        };
        let ended = timeout(END, async { tokio::join!(self.subscription.close(), collector) }).await;
        if ended.is_err() {
            let topic = &self.delivery.subscription.topic;
            tracing::warn!(target: crate::delivery::SCOPE, "events of topic {topic} are still in work after {END:?}; they come again");
        }
    }
}

fn deliverer(
    delivery: &Arc<Delivery>,
    bulk: Option<BulkSubscribe>,
    broker: &dyn Broker,
) -> (Arc<dyn Deliver>, Option<Task>) {
    match bulk.filter(|bulk| bulk.enabled) {
        Some(bulk) => {
            let immediate = broker.features().bulk_subscribe_immediate;
            let (collected, task) = collect(Arc::clone(delivery), bulk, immediate);
            (collected, Some(task))
        }
        None => (Arc::<Delivery>::clone(delivery), None),
    }
}
