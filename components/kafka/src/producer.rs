//! Publishing: one client for everything that a component sends, made when it is first needed.
use crate::SCOPE;
use crate::client::{Cluster, Context, blocking, contact};
use crate::error::closed;
use crate::record::Outgoing;
use bytes::Bytes;
use component_api::{OnDemand, Result};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a message may wait for room among those that are being sent.
const ROOM: Duration = Duration::from_secs(5);
/// How long what is on its way may take to go out at the end.
const CLOSING: Duration = Duration::from_secs(5);

/// Sends messages.
pub(crate) struct Publisher {
    cluster: Arc<Cluster>,
    link: OnDemand<Link>,
    is_closed: AtomicBool,
}

/// A client, and what it says is wrong.
#[derive(Clone)]
struct Link {
    producer: FutureProducer<Context>,
    context: Context,
}

impl Publisher {
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster, link: OnDemand::default(), is_closed: AtomicBool::new(false) }
    }

    /// Sends a message; returns when the brokers have it.
    ///
    /// # Errors
    /// They cannot be reached, or refuse it.
    pub(crate) async fn send(&self, topic: &str, outgoing: Outgoing, value: Option<Bytes>) -> Result<()> {
        let link = self.link().await?;
        let mut record = FutureRecord::to(topic);
        record.key = outgoing.key.as_deref();
        record.partition = outgoing.partition;
        record.headers = outgoing.headers;
        record.payload = value.as_deref();
        let sent = link.producer.send(record, ROOM).await;
        sent.map_err(|(error, _)| self.cluster.translate(&error, Some(&link.context)))?;
        link.context.works();
        Ok(())
    }

    /// Whether the brokers are there and let us in.
    ///
    /// # Errors
    /// They are not, or do not.
    pub(crate) async fn ping(&self) -> Result<()> {
        let (link, cluster) = (self.link().await?, Arc::clone(&self.cluster));
        let ask = move || {
            let found = contact(link.producer.client(), None, &link.context, cluster.contact(), || {});
            found.map(drop).map_err(|error| cluster.translate(&error, Some(&link.context)))
        };
        blocking(ask).await
    }

    /// Sends what waits, and ends.
    pub(crate) async fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        let Some(link) = self.link.take() else { return };
        let end = move || {
            if link.producer.flush(CLOSING).is_err() {
                tracing::warn!(target: SCOPE, "kafka: some messages were not sent before the component ended");
            }
            Ok(())
        };
        blocking(end).await.ok();
    }

    async fn link(&self) -> Result<Link> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        let make = || {
            let (cluster, context) = (Arc::clone(&self.cluster), self.cluster.context());
            blocking(move || Link::open(&cluster, context))
        };
        Ok(self.link.get(make).await?.0)
    }
}

impl Link {
    fn open(cluster: &Cluster, context: Context) -> Result<Self> {
        let producer = cluster.producing()?.create_with_context(context.clone());
        let producer = producer.map_err(|error| cluster.translate(&error, Some(&context)))?;
        Ok(Self { producer, context })
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Publisher").field(&self.cluster).finish()
    }
}
