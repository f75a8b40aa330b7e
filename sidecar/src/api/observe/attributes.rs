//! What a span says of a call, by the path of an endpoint (surface.md 5.2).
use foundation_telemetry::Span;
use http::{Method, Uri};
use std::net::SocketAddr;

const SERVICE_INVOCATION: &str = "ServiceInvocation";

/// Describes a call of the HTTP API.
pub(super) fn describe_path(span: &Span, method: &Method, uri: &Uri) {
    let (path, call) = (uri.path(), format!("{method} {}", uri.path()));
    describe_endpoint(span, path, &call);
    span.set("dapr.protocol", "http");
    span.set("dapr.api", call);
    span.set("http.request.method", method.as_str());
    span.set("url.full", uri.path_and_query().map_or(path, |path| path.as_str()));
}

/// Dapr has the client where others have the server.
pub(super) fn describe_client(span: &Span, client: Option<SocketAddr>) {
    let Some(client) = client else { return };
    span.set("server.address", client.ip().to_string());
    span.set("server.port", client.port().to_string());
}

fn describe_endpoint(span: &Span, path: &str, call: &str) {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [_, "state", store, ..] => store_of(span, "state", store, call),
        [_, "secrets", store, ..] => store_of(span, "secrets", store, call),
        [_, "bindings", binding] => store_of(span, "bindings", binding, call),
        [_, "publish", "bulk", _, topic @ ..] | [_, "publish", _, topic @ ..] => {
            span.set("messaging.system", "pubsub");
            span.set("messaging.destination.name", topic.join("/"));
        }
        [_, "invoke", app_id, "method", method @ ..] => invocation_of(span, app_id, &method.join("/")),
        [_, "actors", kind, id, "method", method @ ..] => actor_of(span, kind, id, &method.join("/")),
        [_, "actors", kind, id, ..] => {
            span.set("dapr.actor", format!("{kind}.{id}"));
            store_of(span, "state", "actor", call);
        }
        _ => {}
    }
}

fn store_of(span: &Span, system: &'static str, name: &str, call: &str) {
    span.set("db.system", system);
    span.set("db.connection_string", system);
    span.set("db.statement", call);
    span.set("db.name", name);
}

fn invocation_of(span: &Span, app_id: &str, method: &str) {
    span.rename(format!("CallLocal/{app_id}/{method}"));
    span.set("rpc.service", SERVICE_INVOCATION);
    span.set("net.peer.name", app_id);
    span.set("dapr.invoke_method", method);
}

fn actor_of(span: &Span, kind: &str, id: &str, method: &str) {
    let actor = format!("{kind}.{id}");
    span.rename(format!("CallActor/{kind}/{method}"));
    span.set("rpc.service", SERVICE_INVOCATION);
    span.set("net.peer.name", actor.as_str());
    span.set("dapr.actor", actor);
}
