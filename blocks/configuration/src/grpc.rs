//! Configuration over gRPC.
use crate::model::{Query, Update};
use crate::service::Service;
use component_api::configuration::{Item, Items};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use std::collections::HashMap;
use tonic::Status;
use wire::common::v1::ConfigurationItem;
use wire::runtime::v1;

/// What a subscriber gets.
pub type Responses = BoxStream<'static, Result<v1::SubscribeConfigurationResponse, Status>>;

/// Reads items.
///
/// # Errors
/// Those of [`Service::store`] and [`Service::get`].
pub async fn get_configuration(
    service: &Service,
    request: v1::GetConfigurationRequest,
) -> Result<v1::GetConfigurationResponse, Status> {
    let store = service.store(&request.store_name)?;
    let query = Query { keys: request.keys, metadata: request.metadata.into_iter().collect() };
    let items = service.get(&store, query).await?;
    Ok(v1::GetConfigurationResponse { items: wired(items) })
}

/// Follows items until the stream is dropped.
///
/// # Errors
/// Those of [`Service::store`] and [`Service::follow`].
pub async fn subscribe_configuration(
    service: &Service,
    request: v1::SubscribeConfigurationRequest,
) -> Result<Responses, Status> {
    let store = service.store(&request.store_name)?;
    let query = Query { keys: request.keys, metadata: request.metadata.into_iter().collect() };
    let updates = service.follow(&store, query).await?;
    Ok(updates.map(|update| Ok(update.into())).boxed())
}

/// Ends a subscription by its id. That there is none is a polite answer (surface.md 0.23).
pub fn unsubscribe_configuration(
    service: &Service,
    request: &v1::UnsubscribeConfigurationRequest,
) -> v1::UnsubscribeConfigurationResponse {
    let ended = service.unsubscribe(None, &request.id);
    let message = ended.as_ref().err().map(ToString::to_string).unwrap_or_default();
    v1::UnsubscribeConfigurationResponse { ok: ended.is_ok(), message }
}

impl From<Update> for v1::SubscribeConfigurationResponse {
    fn from(update: Update) -> Self {
        Self { id: update.id, items: wired(update.items) }
    }
}

fn wired(items: Items) -> HashMap<String, ConfigurationItem> {
    let item = |Item { value, version, metadata }| ConfigurationItem {
        value,
        version,
        metadata: metadata.into_iter().collect(),
    };
    items.into_iter().map(|(key, one)| (key, item(one))).collect()
}
