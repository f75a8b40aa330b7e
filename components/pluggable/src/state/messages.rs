//! Requests and answers of state stores as messages.
use component_api::state::{
    Concurrency, Consistency, DeleteRequest, Etag, GetRequest, Item, Operation, QueryResult, SetRequest,
};
use component_api::{Error, Result};
use prost_types::Any;
use serde_json::Value;
use std::collections::HashMap;
use wire::components::v1;
use wire::components::v1::sorting::Order;
use wire::components::v1::state_options::{StateConcurrency, StateConsistency};
use wire::components::v1::transactional_state_operation::Request;

pub(super) fn get(model: GetRequest) -> v1::GetRequest {
    let GetRequest { key, consistency: wanted, metadata } = model;
    v1::GetRequest { key, metadata: metadata.into_iter().collect(), consistency: consistency(wanted).into() }
}

pub(super) fn set(model: SetRequest) -> v1::SetRequest {
    v1::SetRequest {
        key: model.key,
        value: model.value.bytes().clone(),
        etag: model.etag.map(etag),
        metadata: model.metadata.into_iter().collect(),
        options: Some(options(model.concurrency, model.consistency)),
        content_type: String::new(),
    }
}

pub(super) fn delete(model: DeleteRequest) -> v1::DeleteRequest {
    v1::DeleteRequest {
        key: model.key,
        etag: model.etag.map(etag),
        metadata: model.metadata.into_iter().collect(),
        options: Some(options(model.concurrency, model.consistency)),
    }
}

pub(super) fn operation(model: Operation) -> v1::TransactionalStateOperation {
    let request = match model {
        Operation::Set(model) => Request::Set(set(model)),
        Operation::Delete(model) => Request::Delete(delete(model)),
    };
    v1::TransactionalStateOperation { request: Some(request) }
}

/// A query document: each member of its filter is JSON text of its own.
pub(super) fn query(document: &Value) -> std::result::Result<v1::Query, String> {
    let filter = match &document["filter"] {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), any(value))).collect(),
        Value::Null => HashMap::new(),
        _ => return Err("filter must be an object".to_owned()),
    };
    let sort = document["sort"].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(sorting).collect();
    let page = &document["page"];
    let pagination = v1::Pagination {
        limit: page["limit"].as_i64().unwrap_or_default(),
        token: page["token"].as_str().unwrap_or_default().to_owned(),
    };
    Ok(v1::Query { filter, sort, pagination: Some(pagination) })
}

/// What a get found; an answer with nothing in it is none.
pub(super) fn found(response: v1::GetResponse) -> Option<Item> {
    let v1::GetResponse { data, etag, metadata, .. } = response;
    let item = item(data, etag, metadata);
    Some(item).filter(|item| *item != Item::default())
}

/// What a get of several entries found for one of them.
pub(super) fn bulk_item(item: v1::BulkStateItem) -> Result<Option<Item>> {
    let v1::BulkStateItem { data, etag, error, metadata, .. } = item;
    if !error.is_empty() {
        return Err(Error::other(error));
    }
    Ok(found(v1::GetResponse { data, etag, metadata, ..Default::default() }))
}

pub(super) fn query_result(response: v1::QueryResponse) -> QueryResult {
    let v1::QueryResponse { items, token, metadata } = response;
    let items = items.into_iter().map(|one| (one.key, item(one.data, one.etag, HashMap::new()))).collect();
    QueryResult { items, token, metadata: metadata.into_iter().collect() }
}

fn item(data: bytes::Bytes, etag: Option<v1::Etag>, metadata: HashMap<String, String>) -> Item {
    let etag = etag.map(|etag| Etag(etag.value)).filter(|etag| !etag.0.is_empty());
    Item { data, etag, metadata: metadata.into_iter().collect() }
}

fn etag(etag: Etag) -> v1::Etag {
    v1::Etag { value: etag.0 }
}

fn any(value: &Value) -> Any {
    Any { type_url: String::new(), value: value.to_string().into_bytes() }
}

fn sorting(document: &Value) -> v1::Sorting {
    let order = if document["order"] == "DESC" { Order::Desc } else { Order::Asc };
    v1::Sorting { key: document["key"].as_str().unwrap_or_default().to_owned(), order: order.into() }
}

fn options(wanted: Concurrency, consistent: Consistency) -> v1::StateOptions {
    let concurrency = match wanted {
        Concurrency::Unspecified => StateConcurrency::ConcurrencyUnspecified,
        Concurrency::FirstWrite => StateConcurrency::ConcurrencyFirstWrite,
        Concurrency::LastWrite => StateConcurrency::ConcurrencyLastWrite,
    };
    v1::StateOptions { concurrency: concurrency.into(), consistency: consistency(consistent).into() }
}

fn consistency(wanted: Consistency) -> StateConsistency {
    match wanted {
        Consistency::Unspecified => StateConsistency::ConsistencyUnspecified,
        Consistency::Eventual => StateConsistency::ConsistencyEventual,
        Consistency::Strong => StateConsistency::ConsistencyStrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::json;

    const NAMES: [&str; 12] =
        ["filter", "sort", "page", "limit", "token", "key", "order", "EQ", "IN", "AND", "OR", "a.b"];

    fn document() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            prop::num::i64::ANY.prop_map(Value::from),
            "DESC|\\PC{0,4}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::vec((select(&NAMES[..]).prop_map(str::to_owned), inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_query_document_is_passed_on_or_refused(document in document(), filter in document()) {
            for document in [document, json!({"filter": filter, "sort": filter, "page": filter})] {
                let Ok(query) = query(&document) else { continue };
                for (name, part) in &query.filter {
                    prop_assert_eq!(&serde_json::from_slice::<Value>(&part.value).unwrap(), &document["filter"][name]);
                }
            }
        }
    }

    #[test]
    fn queries_keep_their_parts() {
        let document = json!({
            "filter": {"EQ": {"state": "CA"}},
            "sort": [{"key": "a", "order": "DESC"}, {"key": "b"}],
            "page": {"limit": 2, "token": "t"},
        });
        let query = query(&document).unwrap();
        assert_eq!(query.filter["EQ"].value, br#"{"state":"CA"}"#);
        assert_eq!(query.sort.iter().map(|sort| sort.order()).collect::<Vec<_>>(), [Order::Desc, Order::Asc]);
        assert_eq!(query.pagination, Some(v1::Pagination { limit: 2, token: "t".to_owned() }));
        assert!(super::query(&json!({"filter": 1})).is_err());
        assert!(super::query(&json!({})).unwrap().filter.is_empty());
    }

    #[test]
    fn an_empty_answer_is_no_entry() {
        assert_eq!(found(v1::GetResponse::default()), None);
        let etag = Some(v1::Etag { value: "1".to_owned() });
        assert!(found(v1::GetResponse { etag, ..Default::default() }).is_some());
    }
}
