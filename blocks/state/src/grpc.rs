//! State over gRPC.
use crate::error::Error;
use crate::model::{BulkGet, BulkItem, Delete, Get, Operation, Options, Save, Transaction, trace};
use crate::service::Service;
use component_api::state::{Consistency, Etag, Item, Value};
use foundation_json as json;
use tonic::{Request, Status};
use wire::common::v1::state_options::{StateConcurrency, StateConsistency};
use wire::common::v1::{Etag as WireEtag, StateItem, StateOptions};
use wire::runtime::v1;

/// Reads an entry; the answer is empty when there is none.
///
/// # Errors
/// Those of [`Service::store`] and [`Service::get`].
pub async fn get_state(service: &Service, request: v1::GetStateRequest) -> Result<v1::GetStateResponse, Status> {
    let store = service.store(&request.store_name)?;
    let found = service.get(&store, request.into()).await?;
    Ok(found.map(answer).unwrap_or_default())
}

/// Reads several entries.
///
/// # Errors
/// Those of [`Service::store`] and [`Service::bulk_get`].
pub async fn get_bulk_state(
    service: &Service,
    request: v1::GetBulkStateRequest,
) -> Result<v1::GetBulkStateResponse, Status> {
    let store = service.store(&request.store_name)?;
    let request = BulkGet { keys: request.keys, metadata: request.metadata.into_iter().collect() };
    let items = service.bulk_get(&store, request).await?;
    Ok(v1::GetBulkStateResponse { items: items.into_iter().map(Into::into).collect() })
}

/// Writes entries.
///
/// # Errors
/// Those of [`Service::store`] and [`Service::save`], and [`Error::EmptyKey`].
pub async fn save_state(service: &Service, request: v1::SaveStateRequest) -> Result<(), Status> {
    let store = service.store(&request.store_name)?;
    let verbatim = service.is_encrypted(&store);
    let entries = request.states.into_iter().map(|item| entry(item, verbatim)).collect::<Result<_, Error>>()?;
    Ok(service.save(&store, entries).await?)
}

/// Deletes an entry.
///
/// # Errors
/// Those of [`Service::store`] and [`Service::delete`].
pub async fn delete_state(service: &Service, request: v1::DeleteStateRequest) -> Result<(), Status> {
    let store = service.store(&request.store_name)?;
    let v1::DeleteStateRequest { key, etag, options, metadata, .. } = request;
    let entry = Delete { key, etag: given(etag), options: read(options), metadata: metadata.into_iter().collect() };
    Ok(service.delete(&store, entry).await?)
}

/// Deletes several entries.
///
/// # Errors
/// Those of [`Service::store`] and [`Service::bulk_delete`].
pub async fn delete_bulk_state(service: &Service, request: v1::DeleteBulkStateRequest) -> Result<(), Status> {
    let store = service.store(&request.store_name)?;
    let entries = request.states.into_iter().map(Into::into).collect();
    Ok(service.bulk_delete(&store, entries).await?)
}

/// Does several operations at once.
///
/// # Errors
/// Those of [`Service::transactional_store`] and [`Service::transact`].
pub async fn execute_state_transaction(
    service: &Service,
    request: Request<v1::ExecuteStateTransactionRequest>,
) -> Result<(), Status> {
    let (_, extensions, request) = request.into_parts();
    let store = service.transactional_store(&request.store_name)?;
    let operations = request.operations.into_iter().map(Into::into).collect();
    let metadata = request.metadata.into_iter().collect();
    let transaction = Transaction { operations, metadata, trace: trace(&extensions) };
    Ok(service.transact(&store, transaction).await?)
}

/// Runs a query.
///
/// # Errors
/// Those of [`Service::query`].
pub async fn query_state(service: &Service, request: v1::QueryStateRequest) -> Result<v1::QueryStateResponse, Status> {
    let v1::QueryStateRequest { store_name, query, metadata } = request;
    let found = service.query(&store_name, query.as_bytes(), metadata.into_iter().collect()).await?;
    let results = found.items.into_iter().map(result).collect();
    Ok(v1::QueryStateResponse { results, token: found.token, metadata: found.metadata.into_iter().collect() })
}

/// A value that is announced as JSON is stored as such, else its bytes are, as they are where values are encrypted.
fn entry(item: StateItem, verbatim: bool) -> Result<Save, Error> {
    if item.key.is_empty() {
        return Err(Error::EmptyKey);
    }
    let is_json = item.metadata.get("contentType").is_some_and(|content_type| content_type == "application/json");
    let mut entry = Save::from(item);
    if is_json {
        let value = json::read(entry.value.bytes()).map_err(Error::Json)?;
        if !verbatim {
            entry.value = Value::Json(json::write(&value));
        }
    }
    Ok(entry)
}

fn answer(item: Item) -> v1::GetStateResponse {
    let etag = item.etag.map(|etag| etag.0).unwrap_or_default();
    v1::GetStateResponse { data: item.data, etag, metadata: item.metadata.into_iter().collect() }
}

fn result((key, item): (String, Item)) -> v1::QueryStateItem {
    let etag = item.etag.map(|etag| etag.0).unwrap_or_default();
    v1::QueryStateItem { key, data: item.data, etag, ..Default::default() }
}

/// An empty ETag is none.
fn given(etag: Option<WireEtag>) -> Option<Etag> {
    etag.map(|etag| Etag(etag.value)).filter(|etag| !etag.0.is_empty())
}

fn read(options: Option<StateOptions>) -> Options {
    let Some(options) = options else { return Options::default() };
    let concurrency = match options.concurrency() {
        StateConcurrency::ConcurrencyUnspecified => "",
        StateConcurrency::ConcurrencyFirstWrite => "first-write",
        StateConcurrency::ConcurrencyLastWrite => "last-write",
    };
    let consistency = match options.consistency() {
        StateConsistency::ConsistencyUnspecified => "",
        StateConsistency::ConsistencyEventual => "eventual",
        StateConsistency::ConsistencyStrong => "strong",
    };
    Options { concurrency: concurrency.to_owned(), consistency: consistency.to_owned() }
}

impl From<v1::GetStateRequest> for Get {
    fn from(request: v1::GetStateRequest) -> Self {
        let consistency = match request.consistency() {
            StateConsistency::ConsistencyUnspecified => Consistency::Unspecified,
            StateConsistency::ConsistencyEventual => Consistency::Eventual,
            StateConsistency::ConsistencyStrong => Consistency::Strong,
        };
        Self { key: request.key, consistency, metadata: request.metadata.into_iter().collect() }
    }
}

impl From<BulkItem> for v1::BulkStateItem {
    fn from(item: BulkItem) -> Self {
        let (found, error) = item.found.map_or_else(|error| (None, error), |found| (found, String::new()));
        let Item { data, etag, metadata } = found.unwrap_or_default();
        let etag = etag.map(|etag| etag.0).unwrap_or_default();
        Self { key: item.key, data, etag, error, metadata: metadata.into_iter().collect() }
    }
}

impl From<StateItem> for Save {
    fn from(item: StateItem) -> Self {
        let StateItem { key, value, etag, metadata, options } = item;
        let (etag, options) = (given(etag), read(options));
        Self { key, value: Value::Binary(value), etag, options, metadata: metadata.into_iter().collect() }
    }
}

impl From<StateItem> for Delete {
    fn from(item: StateItem) -> Self {
        let Save { key, etag, options, metadata, .. } = item.into();
        Self { key, etag, options, metadata }
    }
}

impl From<v1::TransactionalStateOperation> for Operation {
    fn from(operation: v1::TransactionalStateOperation) -> Self {
        let item = operation.request.unwrap_or_default();
        match operation.operation_type.as_str() {
            "upsert" => Self::Upsert(item.into()),
            "delete" => Self::Delete(item.into()),
            _ => Self::Unknown { name: operation.operation_type, key: item.key },
        }
    }
}
