//! What a policy is shown of a request.
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

/// The document `input`.
pub(super) fn of(request: &Parts, body: &[u8], shown: &[HeaderName]) -> Value {
    let path = percent_decode_str(request.uri.path()).decode_utf8_lossy().into_owned();
    let query = request.uri.query().unwrap_or_default();
    json!({"request": {
        "method": request.method.as_str(),
        "path_parts": path.trim_matches('/').split('/').collect::<Vec<_>>(),
        "path": path,
        "raw_query": query,
        "query": parsed(query),
        "headers": headers(&request.headers, shown),
        "scheme": request.uri.scheme_str().unwrap_or_default(),
        "body": String::from_utf8_lossy(body),
    }})
}

fn parsed(query: &str) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let values = all.entry(name).or_insert_with(|| json!([]));
        values.as_array_mut().into_iter().for_each(|values| values.push(value.as_ref().into()));
    }
    all
}

fn headers(headers: &HeaderMap, shown: &[HeaderName]) -> Map<String, Value> {
    let all = |name: &HeaderName| {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!values.is_empty()).then(|| (canonical(name.as_str()), values.join(", ").into()))
    };
    shown.iter().filter_map(all).collect()
}

/// A header's name as Go writes it, which is what policies made for Dapr look for.
fn canonical(name: &str) -> String {
    let part = |part: &str| {
        let mut characters = part.chars();
        let first = characters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(characters).collect::<String>()
    };
    name.split('-').map(part).collect::<Vec<_>>().join("-")
}
