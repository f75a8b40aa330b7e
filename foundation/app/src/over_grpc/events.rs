//! Events for a gRPC app (protocols.md 7.3 and 7.4).
use super::Caller;
use super::envelopes::{bulk_event, topic_event};
use crate::events::in_order;
use crate::headers::{add_trace_binary, append_metadata};
use crate::{BulkEvent, Error, EventStatus, TopicEvent};
use http::HeaderMap;
use std::collections::BTreeMap;
use tonic::{Code, Status};
use wire::runtime::v1::app_callback_alpha_client::AppCallbackAlphaClient;
use wire::runtime::v1::topic_event_response::TopicEventResponseStatus;
use wire::runtime::v1::{TopicEventBulkRequest, TopicEventBulkResponse};

const SCOPE: &str = "dapr.runtime.pubsub";

impl Caller {
    pub(super) async fn event(&self, event: &TopicEvent) -> Result<EventStatus, Error> {
        let message = topic_event(event)?;
        let id = message.id.clone();
        let request = self.request(message, metadata(&event.metadata, &event.headers));
        let _turn = self.turns.take().await;
        let status = match self.callbacks().on_topic_event(request).await {
            Ok(response) => status_of(response.get_ref().status),
            Err(status) if status.code() == Code::Unimplemented => return Ok(unknown(&format!("event {id}"), &status)),
            Err(status) => return Err(status.into()),
        };
        if status == EventStatus::Drop {
            tracing::warn!(target: SCOPE, "DROP status returned from app while processing pub/sub event {id}");
        }
        Ok(status)
    }

    pub(super) async fn bulk_event(&self, event: &BulkEvent) -> Result<Vec<EventStatus>, Error> {
        let metadata = metadata(&event.metadata, &event.headers);
        let _turn = self.turns.take().await;
        match self.on_bulk(bulk_event(event)?, metadata).await {
            Ok(response) => {
                let statuses = response.statuses.into_iter();
                let said: BTreeMap<_, _> = statuses.map(|entry| (entry.entry_id, status_of(entry.status))).collect();
                Ok(in_order(&event.entries, said))
            }
            Err(status) if status.code() == Code::Unimplemented => {
                Ok(vec![unknown("bulk", &status); event.entries.len()])
            }
            Err(status) => Err(status.into()),
        }
    }

    /// Apps built with older SDKs know the method by its old name only.
    async fn on_bulk(
        &self,
        message: TopicEventBulkRequest,
        metadata: HeaderMap,
    ) -> Result<TopicEventBulkResponse, Status> {
        let request = self.request(message.clone(), metadata.clone());
        let first = self.callbacks().on_bulk_topic_event(request).await;
        let response = match first {
            Err(status) if status.code() == Code::Unimplemented => {
                let client = AppCallbackAlphaClient::with_origin(self.connection.clone(), self.connection.origin());
                let mut client = client.max_decoding_message_size(self.max_message_size);
                client.on_bulk_topic_event_alpha1(self.request(message, metadata)).await
            }
            other => other,
        };
        response.map(tonic::Response::into_inner)
    }
}

fn metadata(metadata: &BTreeMap<String, String>, headers: &HeaderMap) -> HeaderMap {
    let mut all = HeaderMap::new();
    append_metadata(&mut all, metadata);
    all.extend(headers.clone());
    add_trace_binary(&mut all);
    all
}

/// An app that lacks the method will not have it next time either.
fn unknown(what: &str, status: &Status) -> EventStatus {
    tracing::warn!(target: SCOPE, "non-retriable error returned from app while processing pub/sub {what}: {}", status.message());
    EventStatus::Success
}

fn status_of(number: i32) -> EventStatus {
    match TopicEventResponseStatus::try_from(number) {
        Ok(TopicEventResponseStatus::Success) => EventStatus::Success,
        Ok(TopicEventResponseStatus::Drop) => EventStatus::Drop,
        Ok(TopicEventResponseStatus::Retry) | Err(_) => EventStatus::Retry,
    }
}
