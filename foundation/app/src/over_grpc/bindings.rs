//! Events of input bindings for a gRPC app (surface.md 2.3).
use super::Caller;
use crate::headers::add_trace_binary;
use crate::{BindingAnswer, BindingEvent, Error};
use http::HeaderMap;
use tonic::Code;
use wire::runtime::v1::binding_event_response::BindingEventConcurrency;
use wire::runtime::v1::{BindingEventRequest, BindingEventResponse};

impl Caller {
    /// An app without the method wants no events.
    pub(super) async fn wants_binding(&self, name: &str) -> Result<bool, Error> {
        match self.callbacks().list_input_bindings(self.request((), HeaderMap::new())).await {
            Ok(response) => Ok(response.into_inner().bindings.iter().any(|binding| binding == name)),
            Err(status) if status.code() == Code::Unimplemented => Ok(false),
            Err(status) => Err(status.into()),
        }
    }

    pub(super) async fn binding_event(&self, event: &BindingEvent) -> Result<BindingAnswer, Error> {
        let message = BindingEventRequest {
            name: event.name.clone(),
            data: event.data.clone(),
            metadata: event.metadata.clone().into_iter().collect(),
        };
        let mut headers = event.headers.clone();
        add_trace_binary(&mut headers);
        let _turn = self.turns.take().await;
        let response = self.callbacks().on_binding_event(self.request(message, headers)).await?;
        Ok(answer(response.into_inner()))
    }
}

fn answer(response: BindingEventResponse) -> BindingAnswer {
    let parallel = response.concurrency() == BindingEventConcurrency::Parallel;
    let BindingEventResponse { store_name, states, to, data, .. } = response;
    BindingAnswer { data, store: store_name, states, to, parallel }
}
