//! The error of a gRPC app as JSON, with its details, as HTTP callers get it (surface.md 0.16).
use prost::Message;
use prost_types::Any;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tonic::Status;
use wire::google::rpc;

/// Its members go out in this order, as Go's do.
#[derive(Serialize)]
struct Shown<'a> {
    code: i32,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Value>,
}

/// The status as JSON. Details of types that are not Google's own are left out: nobody here knows their fields.
pub(crate) fn json_of(status: &Status) -> String {
    let details = rpc::Status::decode(status.details()).unwrap_or_default().details;
    let details = details.iter().filter_map(detail).collect();
    let shown = Shown { code: status.code() as i32, message: status.message(), details };
    serde_json::to_string(&shown).unwrap_or_default()
}

fn detail(any: &Any) -> Option<Value> {
    let mut members = match any.type_url.rsplit('/').next()?.strip_prefix("google.rpc.")? {
        "ErrorInfo" => error_info(read(any)?),
        "ResourceInfo" => resource_info(read(any)?),
        "BadRequest" => bad_request(read(any)?),
        "Help" => help(read(any)?),
        "RetryInfo" => retry_info(&read(any)?),
        "DebugInfo" => debug_info(read(any)?),
        "QuotaFailure" => quota_failure(read(any)?),
        "PreconditionFailure" => precondition_failure(read(any)?),
        "RequestInfo" => request_info(read(any)?),
        "LocalizedMessage" => localized_message(read(any)?),
        _ => return None,
    };
    members.insert("@type".to_owned(), any.type_url.as_str().into());
    Some(members.into())
}

fn read<M: Message + Default>(any: &Any) -> Option<M> {
    M::decode(any.value.as_slice()).ok()
}

fn error_info(rpc::ErrorInfo { reason, domain, metadata }: rpc::ErrorInfo) -> Map<String, Value> {
    given([("reason", json!(reason)), ("domain", json!(domain)), ("metadata", json!(metadata))])
}

fn resource_info(info: rpc::ResourceInfo) -> Map<String, Value> {
    let rpc::ResourceInfo { resource_type, resource_name, owner, description } = info;
    let (kind, name) = (json!(resource_type), json!(resource_name));
    given([
        ("resourceType", kind),
        ("resourceName", name),
        ("owner", json!(owner)),
        ("description", json!(description)),
    ])
}

fn bad_request(request: rpc::BadRequest) -> Map<String, Value> {
    let violation = |rpc::bad_request::FieldViolation { field, description }| {
        given([("field", json!(field)), ("description", json!(description))])
    };
    given([("fieldViolations", list(request.field_violations, violation))])
}

fn help(help: rpc::Help) -> Map<String, Value> {
    let link = |rpc::help::Link { description, url }| given([("description", json!(description)), ("url", json!(url))]);
    given([("links", list(help.links, link))])
}

fn retry_info(info: &rpc::RetryInfo) -> Map<String, Value> {
    given([("retryDelay", json!(info.retry_delay.map(|delay| delay.to_string()).unwrap_or_default()))])
}

fn debug_info(rpc::DebugInfo { stack_entries, detail }: rpc::DebugInfo) -> Map<String, Value> {
    given([("stackEntries", json!(stack_entries)), ("detail", json!(detail))])
}

fn quota_failure(failure: rpc::QuotaFailure) -> Map<String, Value> {
    let violation = |rpc::quota_failure::Violation { subject, description }| {
        given([("subject", json!(subject)), ("description", json!(description))])
    };
    given([("violations", list(failure.violations, violation))])
}

fn precondition_failure(failure: rpc::PreconditionFailure) -> Map<String, Value> {
    let violation = |rpc::precondition_failure::Violation { r#type, subject, description }| {
        given([("type", json!(r#type)), ("subject", json!(subject)), ("description", json!(description))])
    };
    given([("violations", list(failure.violations, violation))])
}

fn request_info(rpc::RequestInfo { request_id, serving_data }: rpc::RequestInfo) -> Map<String, Value> {
    given([("requestId", json!(request_id)), ("servingData", json!(serving_data))])
}

fn localized_message(rpc::LocalizedMessage { locale, message }: rpc::LocalizedMessage) -> Map<String, Value> {
    given([("locale", json!(locale)), ("message", json!(message))])
}

fn list<T>(items: Vec<T>, members: impl Fn(T) -> Map<String, Value>) -> Value {
    items.into_iter().map(members).map(Value::from).collect()
}

/// An object without its empty members, as Go writes protobuf messages.
fn given<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    let given = members.into_iter().filter(|(_, value)| !is_empty(value));
    given.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    fn any(name: &str, message: &impl Message) -> Any {
        Any { type_url: format!("type.googleapis.com/{name}"), value: message.encode_to_vec() }
    }

    fn shown(details: Vec<Any>) -> String {
        let details = rpc::Status { code: 3, message: "no".to_owned(), details }.encode_to_vec();
        json_of(&Status::with_details(Code::InvalidArgument, "no", details.into()))
    }

    #[test]
    fn a_status_is_as_go_writes_it() {
        assert_eq!(json_of(&Status::not_found("")), r#"{"code":5}"#);
        assert_eq!(json_of(&Status::not_found("no")), r#"{"code":5,"message":"no"}"#);
        let delay = Some(prost_types::Duration { seconds: 1, nanos: 500_000_000 });
        let violation = rpc::bad_request::FieldViolation { field: "f".to_owned(), description: String::new() };
        let details = vec![
            any("google.rpc.ErrorInfo", &rpc::ErrorInfo { reason: "R".to_owned(), ..Default::default() }),
            any("shop.Unknown", &rpc::Help::default()),
            any("google.rpc.RetryInfo", &rpc::RetryInfo { retry_delay: delay }),
            any("google.rpc.BadRequest", &rpc::BadRequest { field_violations: vec![violation] }),
        ];
        let expected = concat!(
            r#"{"code":3,"message":"no","details":["#,
            r#"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"R"},"#,
            r#"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.500s"},"#,
            r#"{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"f"}]}]}"#
        );
        assert_eq!(shown(details), expected);
    }

    /// They come from the app, which may send anything.
    #[test]
    fn details_that_cannot_be_read_are_left_out() {
        let status = Status::with_details(Code::InvalidArgument, "no", vec![0xff].into());
        assert_eq!(json_of(&status), r#"{"code":3,"message":"no"}"#);
        let broken = Any { type_url: "type.googleapis.com/google.rpc.Help".to_owned(), value: vec![0xff] };
        assert_eq!(shown(vec![broken]), r#"{"code":3,"message":"no"}"#);
    }
}
