//! Brokers that behave in one remarkable way each.
use async_trait::async_trait;
use component_api::pubsub::{Broker, Deliver, Features, Message, PublishRequest, Subscription};
use component_api::{Error, Metadata, Result, Task};
use foundation_drain::Drain;
use std::sync::{Arc, Mutex};

/// Refuses messages that say `bad`.
pub(crate) struct Picky;

#[async_trait]
impl Broker for Picky {
    fn features(&self) -> Features {
        Features::default()
    }

    async fn publish(&self, request: PublishRequest) -> Result<()> {
        if &request.data[..] == b"bad" { Err(Error::other("too bad")) } else { Ok(()) }
    }

    async fn subscribe(&self, _: &str, _: Metadata, _: Arc<dyn Deliver>) -> Result<Subscription> {
        Err(Error::unsupported("nobody subscribes here"))
    }
}

/// Never comes to an end of subscribing.
pub(crate) struct Stuck;

#[async_trait]
impl Broker for Stuck {
    fn features(&self) -> Features {
        Features::default()
    }

    async fn publish(&self, _: PublishRequest) -> Result<()> {
        Ok(())
    }

    async fn subscribe(&self, _: &str, _: Metadata, _: Arc<dyn Deliver>) -> Result<Subscription> {
        std::future::pending().await
    }
}

/// Hands messages out without waiting for the ones before, as a broker with prefetch does.
#[derive(Default)]
pub(crate) struct Eager {
    subscribed: Mutex<Option<Arc<dyn Deliver>>>,
    drain: Drain,
}

#[async_trait]
impl Broker for Eager {
    fn features(&self) -> Features {
        Features::default()
    }

    async fn publish(&self, request: PublishRequest) -> Result<()> {
        let deliver = self.subscribed.lock().unwrap().clone().unwrap();
        let PublishRequest { topic, data, metadata, .. } = request;
        let message = Message { topic, data, content_type: None, metadata };
        self.drain.spawn(async move {
            deliver.deliver(message).await;
        });
        Ok(())
    }

    async fn subscribe(&self, _: &str, _: Metadata, deliver: Arc<dyn Deliver>) -> Result<Subscription> {
        *self.subscribed.lock().unwrap() = Some(deliver);
        Ok(Subscription::new(Task::spawn(|stopping| async move { stopping.cancelled().await })))
    }
}
