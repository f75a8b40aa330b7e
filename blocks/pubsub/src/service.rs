//! Publishing: scopes, envelope, policy, broker (protocols.md 7.1).
use crate::envelope::{Unwrapped, wrap};
use crate::error::Error;
use crate::failure::Failure;
use crate::model::{Api, BulkEntry, BulkFailure, BulkPublishRequest, PublishRequest, Trace, raw_payload};

use crate::scopes::Topics;
use crate::spans::EntrySpans;
use bytes::Bytes;
use component_api::pubsub::{self, Broker};
use component_api::{Instance, Live, Metadata};
use foundation_resiliency::{self as resiliency, ComponentKind, Resiliency};
use foundation_telemetry::{Metrics, Tracer};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Publishes events of the own app.
pub struct Service {
    app_id: String,
    namespace: String,
    brokers: Live<dyn Broker>,
    resiliency: Resiliency,
    metrics: Metrics,
    tracer: Tracer,
}

/// Why the broker does not have a message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsent {
    #[error("pubsub is not there any more")]
    NotFound,
    #[error("the topic is not allowed for this app")]
    Forbidden,
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Service {
    /// `namespace` is the one of the app; components whose metadata uses `{namespace}` put it before their topics.
    pub fn new(app_id: impl Into<String>, namespace: impl Into<String>, brokers: Live<dyn Broker>) -> Self {
        let (resiliency, metrics, tracer) = (Resiliency::default(), Metrics::disabled(), Tracer::default());
        Self { app_id: app_id.into(), namespace: namespace.into(), brokers, resiliency, metrics, tracer }
    }

    /// The same, with policies for calls of brokers and of the app.
    #[must_use]
    pub fn with_resiliency(self, resiliency: Resiliency) -> Self {
        Self { resiliency, ..self }
    }

    /// The same, which follows the traces of events.
    #[must_use]
    pub fn with_tracer(self, tracer: Tracer) -> Self {
        Self { tracer, ..self }
    }

    /// The same, which counts what it does.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Publishes one event.
    ///
    /// # Errors
    /// [`Error`]: what is wrong with the request, or that the broker did not take it.
    pub async fn publish(&self, request: PublishRequest) -> Result<(), Error> {
        let broker = self.find(&request.pubsub, &request.topic, &request.metadata)?;
        let PublishRequest { pubsub, topic, data, content_type, mut metadata, trace, api } = request;
        let raw = self.raw(&pubsub, &metadata)?;
        let data = if raw { data } else { self.wrap(&broker, &topic, &data, &content_type, &metadata, &trace)? };
        if raw && api == Api::Grpc {
            metadata.extend([("traceid".to_owned(), trace.parent), ("tracestate".to_owned(), trace.state)]);
        }
        let start = Instant::now();
        let message = pubsub::PublishRequest { topic: topic.clone(), data, content_type: None, metadata };
        let sent = self.send_to(&broker, message, api).await;
        self.metrics.pubsub_egress(&pubsub, &topic, sent.is_ok(), start.elapsed());
        sent.map_err(|unsent| self.refusal(pubsub, topic, &unsent))
    }

    /// Publishes several events. Those that the broker refuses are tried again as the policy says.
    ///
    /// # Errors
    /// [`BulkFailure`], which tells the entries that were not published.
    pub async fn bulk_publish(&self, request: BulkPublishRequest) -> Result<(), BulkFailure> {
        let broker = self.find(&request.pubsub, &request.topic, &request.metadata)?;
        let BulkPublishRequest { pubsub, topic, entries, metadata, span, api } = request;
        let raw = self.raw(&pubsub, &metadata)?;
        self.check_ids(&pubsub, &topic, &entries)?;
        let mut messages = Vec::with_capacity(entries.len());
        let mut spans = EntrySpans::new(span);
        for entry in entries {
            messages.push(self.entry(&broker, &topic, entry, raw, &metadata, &spans.start_next())?);
        }
        let start = Instant::now();
        let sent = self.send_bulk(&broker, &topic, messages, metadata, api).await;
        self.metrics.pubsub_bulk_egress(&pubsub, &topic, sent.is_ok(), start.elapsed());
        spans.end(sent.is_ok());
        sent.map_err(|(unsent, failed)| BulkFailure { error: self.refusal(pubsub, topic, &unsent), failed })
    }

    /// The broker for a request, when everything that the path names is there.
    pub(crate) fn find(
        &self,
        pubsub: &str,
        topic: &str,
        metadata: &Metadata,
    ) -> Result<Arc<Instance<dyn Broker>>, Error> {
        let metadata = || metadata.clone();
        if pubsub.is_empty() {
            return Err(Error::NameEmpty { metadata: metadata() });
        }
        let broker = self.brokers.get(pubsub);
        let broker = broker.ok_or_else(|| Error::NotFound { pubsub: pubsub.to_owned(), metadata: metadata() })?;
        if topic.is_empty() {
            return Err(Error::TopicEmpty { pubsub: pubsub.to_owned(), metadata: metadata() });
        }
        Ok(broker)
    }

    /// Whether a request is about raw messages.
    pub(crate) fn raw(&self, pubsub: &str, metadata: &Metadata) -> Result<bool, Error> {
        let metadata_error = |reason| Error::Metadata { pubsub: pubsub.to_owned(), metadata: metadata.clone(), reason };
        raw_payload(metadata).map_err(metadata_error)
    }

    /// Publishes a message as it is, within the scopes and the policy of the component.
    pub(crate) async fn send(&self, pubsub: &str, message: pubsub::PublishRequest) -> Result<(), Unsent> {
        let broker = self.brokers.get(pubsub).ok_or(Unsent::NotFound)?;
        self.send_to(&broker, message, Api::Grpc).await
    }

    /// Publishes messages as they are; returns the first trouble and the ids of what was not published.
    pub(crate) async fn send_bulk(
        &self,
        broker: &Instance<dyn Broker>,
        topic: &str,
        messages: Vec<pubsub::BulkEntry>,
        metadata: Metadata,
        api: Api,
    ) -> Result<(), (Unsent, Vec<(String, String)>)> {
        let topics = self.topics(broker);
        if !topics.may_publish(topic) {
            return Err((Unsent::Forbidden, Vec::new()));
        }
        let topic = topics.at_broker(topic);
        let rest = Mutex::new(Rest { messages, failed: Vec::new() });
        let attempt = || async {
            let messages = lock(&rest).messages.clone();
            let failed = broker.component.bulk_publish(&topic, messages, metadata.clone()).await;
            lock(&rest).keep(failed, api)
        };
        let sent = self.resiliency.outbound(&broker.name, ComponentKind::Pubsub).run(attempt).await;
        sent.map_err(|error| {
            let failed = lock(&rest).unpublished(&error);
            (Failure::from(error).into(), failed)
        })
    }

    pub(crate) fn topics(&self, broker: &Instance<dyn Broker>) -> Topics {
        Topics::of(&broker.properties, &self.app_id, &self.namespace)
    }

    pub(crate) fn app_id(&self) -> &str {
        &self.app_id
    }

    pub(crate) fn brokers(&self) -> &Live<dyn Broker> {
        &self.brokers
    }

    pub(crate) fn resiliency(&self) -> &Resiliency {
        &self.resiliency
    }

    pub(crate) fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    async fn send_to(
        &self,
        broker: &Instance<dyn Broker>,
        mut message: pubsub::PublishRequest,
        api: Api,
    ) -> Result<(), Unsent> {
        let topics = self.topics(broker);
        if !topics.may_publish(&message.topic) {
            return Err(Unsent::Forbidden);
        }
        message.topic = topics.at_broker(&message.topic).into_owned();
        let attempt = || async {
            broker.component.publish(message.clone()).await.map_err(|error| Failure::of_broker(&error, api))
        };
        let sent = self.resiliency.outbound(&broker.name, ComponentKind::Pubsub).run(attempt).await;
        Ok(sent.map_err(Failure::from)?)
    }

    fn check_ids(&self, pubsub: &str, topic: &str, entries: &[BulkEntry]) -> Result<(), Error> {
        let mut ids = BTreeSet::new();
        if entries.iter().all(|entry| !entry.id.is_empty() && ids.insert(&entry.id)) {
            return Ok(());
        }
        Err(Error::Entries {
            pubsub: pubsub.to_owned(),
            topic: topic.to_owned(),
            app_id: self.app_id.clone(),
            reason: "entryId is duplicated or not present for entry".to_owned(),
        })
    }

    fn entry(
        &self,
        broker: &Instance<dyn Broker>,
        topic: &str,
        entry: BulkEntry,
        raw: bool,
        request_metadata: &Metadata,
        trace: &Trace,
    ) -> Result<pubsub::BulkEntry, Error> {
        let BulkEntry { id: entry_id, data, content_type, metadata } = entry;
        let metadata = metadata.map(|own| with_defaults(own, request_metadata)).unwrap_or_default();
        if raw {
            let content_type = Some(content_type).filter(|content_type| !content_type.is_empty());
            return Ok(pubsub::BulkEntry { entry_id, data, content_type, metadata });
        }
        let data = self.wrap(broker, topic, &data, &content_type, &metadata, trace)?;
        Ok(pubsub::BulkEntry { entry_id, data, content_type: None, metadata })
    }

    fn wrap(
        &self,
        broker: &Instance<dyn Broker>,
        topic: &str,
        data: &Bytes,
        content_type: &str,
        metadata: &Metadata,
        trace: &Trace,
    ) -> Result<Bytes, Error> {
        let message = Unwrapped {
            app_id: &self.app_id,
            pubsub: &broker.name,
            topic,
            data,
            content_type,
            metadata,
            trace,
            broker_expires: broker.component.features().message_ttl,
        };
        let no_event = |reason| Error::CloudEvent { pubsub: broker.name.clone(), app_id: self.app_id.clone(), reason };
        wrap(&message).map_err(no_event)
    }

    fn refusal(&self, pubsub: String, topic: String, unsent: &Unsent) -> Error {
        match unsent {
            Unsent::NotFound => Error::NotFound { pubsub, metadata: Metadata::new() },
            Unsent::Forbidden => Error::Forbidden { pubsub, topic, app_id: self.app_id.clone() },
            Unsent::Failed(failure) => Error::Publish { pubsub, topic, reason: failure.to_string() },
        }
    }
}

/// What of a bulk is still to be published.
struct Rest {
    messages: Vec<pubsub::BulkEntry>,
    failed: Vec<(String, String)>,
}

impl Rest {
    fn keep(&mut self, failed: Vec<pubsub::FailedEntry>, api: Api) -> Result<(), Failure> {
        let first = failed.first().map(|failed| Failure::of_broker(&failed.error, api));
        self.failed = failed.into_iter().map(|failed| (failed.entry_id, failed.error.to_string())).collect();
        let ids: BTreeSet<&String> = self.failed.iter().map(|(id, _)| id).collect();
        self.messages.retain(|message| ids.contains(&message.entry_id));
        first.map_or(Ok(()), Err)
    }

    /// When the policy stopped a try there is no word on single entries.
    fn unpublished(&self, error: &resiliency::Error<Failure>) -> Vec<(String, String)> {
        if matches!(error, resiliency::Error::Failed(_)) {
            return self.failed.clone();
        }
        self.messages.iter().map(|message| (message.entry_id.clone(), error.to_string())).collect()
    }
}

fn lock(rest: &Mutex<Rest>) -> std::sync::MutexGuard<'_, Rest> {
    rest.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with_defaults(own: Metadata, defaults: &Metadata) -> Metadata {
    let mut all = defaults.clone();
    all.extend(own);
    all
}
