//! State over HTTP.
use crate::body;
use crate::error::Error;
use crate::model::{BulkGet, BulkItem, Delete, Get, Operation, Options, Transaction, trace};
use crate::service::Service;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, get, on};
use bytes::Bytes;
use component_api::Metadata;
use component_api::state::{Consistency, Etag, Item};
use foundation_endpoint::{Endpoints, RequestParts, query_metadata, query_value, read_body};
use foundation_fault::Fault;
use foundation_json as json;
use http::header::{CONTENT_TYPE, ETAG, IF_MATCH};
use http::{HeaderName, HeaderValue, StatusCode, Uri};
use serde::Serialize;
use serde_json::value::RawValue;
use std::sync::Arc;

const METHODS: MethodFilter = MethodFilter::POST.or(MethodFilter::PUT);

/// The endpoints of the block.
pub fn endpoints(service: Arc<Service>) -> Endpoints {
    let with = |handlers: MethodRouter<Arc<Service>>| handlers.with_state(Arc::clone(&service));
    Endpoints::new()
        .add("v1.0", "state", "state/{store}/{key}", with(get(get_state).delete(delete_state)))
        .add("v1.0", "state", "state/{store}", with(on(METHODS, save_state)))
        .add("v1.0", "state", "state/{store}/bulk", with(entry("bulk").on(METHODS, bulk_get_state)))
        .add("v1.0", "state", "state/{store}/transaction", with(entry("transaction").on(METHODS, transact)))
        .add("v1.0-alpha1", "state", "state/{store}/query", with(on(METHODS, query_state)))
}

type Shared = State<Arc<Service>>;
type Answer = Result<Response, Error>;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Fault::from(self).into_response()
    }
}

/// Reading and deleting the entry of a name that is also that of an endpoint.
fn entry(key: &'static str) -> MethodRouter<Arc<Service>> {
    let path = move |store| Path((store, key.to_owned()));
    get(move |state: Shared, Path(store), uri| get_state(state, path(store), uri))
        .delete(move |state: Shared, Path(store), head| delete_state(state, path(store), head))
}

async fn get_state(State(service): Shared, Path((store, key)): Path<(String, String)>, uri: Uri) -> Answer {
    let store = service.store(&store)?;
    let consistency = match query_value(&uri, "consistency").as_deref() {
        Some("strong") => Consistency::Strong,
        Some("eventual") => Consistency::Eventual,
        _ => Consistency::Unspecified,
    };
    let found = service.get(&store, Get { key, consistency, metadata: query_metadata(&uri) }).await?;
    Ok(found.map_or_else(nothing, item))
}

async fn save_state(State(service): Shared, Path(store): Path<String>, request: Request) -> Answer {
    let store = service.store(&store)?;
    let (body, query) = received(request).await.map_err(Error::Malformed)?;
    let mut entries = body::entries(&body).map_err(Error::Malformed)?;
    entries.iter_mut().for_each(|entry| entry.metadata.extend(query.clone()));
    service.save(&store, entries).await?;
    Ok(nothing())
}

async fn delete_state(
    State(service): Shared,
    Path((store, key)): Path<(String, String)>,
    head: RequestParts,
) -> Answer {
    let store = service.store(&store)?;
    let metadata = query_metadata(&head.uri);
    let value = |name| query_value(&head.uri, name).unwrap_or_default();
    let options = Options { concurrency: value("concurrency"), consistency: value("consistency") };
    let etag = head.headers.get(IF_MATCH).and_then(|etag| etag.to_str().ok()).filter(|etag| !etag.is_empty());
    let entry = Delete { key, etag: etag.map(|etag| Etag(etag.to_owned())), options, metadata };
    service.delete(&store, entry).await?;
    Ok(nothing())
}

async fn bulk_get_state(State(service): Shared, Path(store): Path<String>, request: Request) -> Answer {
    let store = service.store(&store)?;
    let (body, query) = received(request).await.map_err(undecoded)?;
    let BulkGet { keys, mut metadata } = body::bulk_get(&body).map_err(undecoded)?;
    metadata.extend(query);
    let items = service.bulk_get(&store, BulkGet { keys, metadata }).await?;
    Ok(written(listed(&items)))
}

async fn transact(State(service): Shared, Path(store): Path<String>, request: Request) -> Answer {
    let store = service.transactional_store(&store)?;
    let trace = trace(request.extensions());
    let (body, query) = received(request).await.map_err(undecoded)?;
    let mut transaction = Transaction { trace, ..body::transaction(&body).map_err(undecoded)? };
    add_metadata(&mut transaction, &query);
    service.transact(&store, transaction).await.map_err(Error::without_field)?;
    Ok(nothing())
}

async fn query_state(State(service): Shared, Path(store): Path<String>, request: Request) -> Answer {
    let (body, metadata) = received(request).await.map_err(Error::Body)?;
    let found = service.query(&store, &body, metadata).await?;
    if found.items.is_empty() {
        return Ok(nothing());
    }
    let results = found.items.iter().map(|(key, item)| Listed::of(key, Ok(Some(item)))).collect::<Option<_>>();
    Ok(written(results.map(|results| Page { results, token: &found.token, metadata: &found.metadata })))
}

/// Body and metadata of a request, or why the body did not arrive.
async fn received(request: Request) -> Result<(Bytes, Metadata), String> {
    let query = query_metadata(request.uri());
    let body = read_body(request.into_body()).await.map_err(|error| error.to_string())?;
    Ok((body, query))
}

fn undecoded(reason: String) -> Error {
    Error::Malformed(format!("failed deserializing HTTP body: {reason}"))
}

/// Metadata of the query is that of the transaction and of all its operations.
fn add_metadata(transaction: &mut Transaction, query: &Metadata) {
    transaction.metadata.extend(query.clone());
    for operation in &mut transaction.operations {
        match operation {
            Operation::Upsert(entry) => entry.metadata.extend(query.clone()),
            Operation::Delete(entry) => entry.metadata.extend(query.clone()),
            Operation::Unknown { .. } => {}
        }
    }
}

fn nothing() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

fn item(item: Item) -> Response {
    let mut response = json_response(item.data);
    let headers = response.headers_mut();
    if let Some(etag) = item.etag.and_then(|etag| HeaderValue::try_from(etag.0).ok()) {
        headers.insert(ETAG, etag);
    }
    for (name, value) in item.metadata {
        let name = HeaderName::try_from(format!("metadata.{name}"));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    response
}

/// An entry in a list.
#[derive(Serialize)]
struct Listed<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "str::is_empty")]
    error: &'a str,
}

/// A page of what a query found.
#[derive(Serialize)]
struct Page<'a> {
    results: Vec<Listed<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    token: &'a str,
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    metadata: &'a Metadata,
}

impl<'a> Listed<'a> {
    /// Nothing when the data is no JSON.
    fn of(key: &'a str, found: Result<Option<&'a Item>, &'a str>) -> Option<Self> {
        let mut listed = Self { key, data: None, etag: None, metadata: None, error: found.err().unwrap_or_default() };
        let Ok(Some(item)) = found else { return Some(listed) };
        if !item.data.is_empty() {
            listed.data = Some(json::compact(&item.data)?);
        }
        listed.etag = item.etag.as_ref().map(|etag| etag.0.as_str());
        listed.metadata = Some(&item.metadata).filter(|metadata| !metadata.is_empty());
        Some(listed)
    }
}

fn listed(items: &[BulkItem]) -> Option<Vec<Listed<'_>>> {
    items
        .iter()
        .map(|item| Listed::of(&item.key, item.found.as_ref().map(Option::as_ref).map_err(String::as_str)))
        .collect()
}

/// Like Dapr, a list with an entry that is no JSON is answered with nothing at all.
fn written(list: Option<impl Serialize>) -> Response {
    let list = list.and_then(|list| serde_json::to_vec(&list).ok()).unwrap_or_default();
    json_response(json::escape_html(list).into())
}

fn json_response(body: Bytes) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
