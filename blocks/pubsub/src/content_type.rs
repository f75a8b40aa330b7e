//! Kinds of content, told by media types without regard to case and parameters.

pub(crate) const CLOUD_EVENT: &str = "application/cloudevents+json";
pub(crate) const BINARY: &str = "application/octet-stream";

pub(crate) fn is_cloud_event(content_type: &str) -> bool {
    is(content_type, CLOUD_EVENT)
}

pub(crate) fn is_json(content_type: &str) -> bool {
    is(content_type, "application/json")
}

pub(crate) fn is_binary(content_type: &str) -> bool {
    is(content_type, BINARY)
}

pub(crate) fn is_text(content_type: &str) -> bool {
    let head = content_type.as_bytes().get(..5);
    head.is_some_and(|head| head.eq_ignore_ascii_case(b"text/")) || is(content_type, "application/xml")
}

/// A CloudEvent in protobuf: told by its type or, under the general type, by its first field, which is the id.
pub(crate) fn is_protobuf_event(content_type: &str, data: &[u8]) -> bool {
    let general = is(content_type, "application/x-protobuf");
    is(content_type, "application/cloudevents+protobuf") || (general && data.first() == Some(&0x0a))
}

fn is(content_type: &str, expected: &str) -> bool {
    let bare = content_type.split_once(';').map_or(content_type, |(bare, _)| bare);
    bare.eq_ignore_ascii_case(expected)
}
