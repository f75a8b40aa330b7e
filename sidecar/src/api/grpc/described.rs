//! What spans say of the requests of the Dapr service (surface.md 5.2).
use foundation_telemetry::Span;
use tonic::Request;
use wire::runtime::v1;

const SERVICE: &str = "Dapr";

/// A request that a span tells more of than its method.
pub(super) trait Described {
    fn describe(&self, span: &Span);
}

/// The same request, told of by its span.
pub(super) fn described<T: Described>(request: Request<T>) -> Request<T> {
    if let Some(span) = request.extensions().get::<Span>().filter(|span| span.is_recorded()) {
        request.get_ref().describe(span);
    }
    request
}

impl Described for v1::InvokeServiceRequest {
    fn describe(&self, span: &Span) {
        let method = self.message.as_ref().map(|message| message.method.as_str()).unwrap_or_default();
        span.rename(format!("CallLocal/{}/{method}", self.id));
        span.set("rpc.service", "ServiceInvocation");
        span.set("net.peer.name", self.id.as_str());
    }
}

impl Described for v1::InvokeActorRequest {
    fn describe(&self, span: &Span) {
        let actor = format!("{}.{}", self.actor_type, self.actor_id);
        span.rename(format!("CallActor/{}/{}", self.actor_type, self.method));
        span.set("rpc.service", "ServiceInvocation");
        span.set("net.peer.name", actor.as_str());
        span.set("dapr.actor", actor);
    }
}

impl Described for v1::PublishEventRequest {
    fn describe(&self, span: &Span) {
        publishing(span, &self.topic);
    }
}

impl Described for v1::BulkPublishRequest {
    fn describe(&self, span: &Span) {
        publishing(span, &self.topic);
    }
}

impl Described for v1::InvokeBindingRequest {
    fn describe(&self, span: &Span) {
        storing(span, "bindings", &self.name, "InvokeBinding");
    }
}

impl Described for v1::GetStateRequest {
    fn describe(&self, span: &Span) {
        storing(span, "state", &self.store_name, "GetState");
    }
}

impl Described for v1::SaveStateRequest {
    fn describe(&self, span: &Span) {
        storing(span, "state", &self.store_name, "SaveState");
    }
}

impl Described for v1::DeleteStateRequest {
    fn describe(&self, span: &Span) {
        storing(span, "state", &self.store_name, "DeleteState");
    }
}

impl Described for v1::GetSecretRequest {
    fn describe(&self, span: &Span) {
        storing(span, "secrets", &self.store_name, "GetSecret");
    }
}

fn publishing(span: &Span, topic: &str) {
    span.set("rpc.service", SERVICE);
    span.set("messaging.system", "pubsub");
    span.set("messaging.destination.name", topic);
}

fn storing(span: &Span, system: &'static str, name: &str, method: &str) {
    span.set("rpc.service", SERVICE);
    span.set("db.system", system);
    span.set("db.connection_string", system);
    span.set("db.name", name);
    span.set("db.statement", format!("/dapr.proto.runtime.v1.Dapr/{method}"));
}
