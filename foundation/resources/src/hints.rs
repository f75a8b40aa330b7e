//! What a document says that does nothing, and was probably meant to: it is taken all the same, as in Dapr.
use crate::decode::Stray;
use crate::document::Head;
use crate::{Configuration, ObjectMeta, Resource, Subscription};
use foundation_metadata::meant;
use serde_json::Value;

/// What a document says beside its kind's own fields.
const OF_DOCUMENTS: [&str; 3] = ["apiVersion", "kind", "status"];

/// Names without effect, in words: those that no field has, and those of another version of the kind.
pub(crate) fn hints(value: &Value, head: &Head, strays: Vec<Stray>) -> Vec<String> {
    let strays = strays.into_iter().filter(is_worth_a_word).map(|stray| told(&stray, &head.kind));
    strays.chain(foreign_routes(value, head)).collect()
}

/// What is said of a Configuration among other resources.
pub(crate) const MISPLACED: &str = "it has no effect in a resources folder; name its file with --config";

/// Kubernetes keeps more in the metadata of objects than is read here.
fn is_worth_a_word(stray: &Stray) -> bool {
    let of_document = || OF_DOCUMENTS.iter().any(|known| known.eq_ignore_ascii_case(&stray.path));
    let of_object = || stray.of == "ObjectMeta" && stray.meant.is_none();
    !of_document() && !of_object()
}

fn told(stray: &Stray, kind: &str) -> String {
    let kind = if kind.is_empty() { Configuration::KIND } else { kind };
    let advice = stray
        .meant
        .map_or_else(|| "check its spelling and its place".to_owned(), |meant| format!("did you mean {meant}?"));
    format!("{} is no field of {kind} and has no effect; {advice}", stray.path)
}

/// The two versions of Subscription have different fields for paths.
fn foreign_routes(value: &Value, head: &Head) -> Option<String> {
    if head.kind != Subscription::KIND {
        return None;
    }
    let is_old = Subscription::is_v1(&head.api_version);
    let (foreign, own) = if is_old { ("routes", "route") } else { ("route", "routes.default") };
    let spec = crate::decode::member(value.as_object()?, "spec")?.as_object()?;
    crate::decode::member(spec, foreign).filter(|routes| !routes.is_null())?;
    Some(format!("spec.{foreign} has no effect in {}; use spec.{own}, or the other apiVersion", head.api_version))
}

/// What is wrong with the broker that a Subscription names, if no component is that.
pub(crate) fn no_broker(name: &str, brokers: &[&str]) -> Option<String> {
    if brokers.contains(&name) {
        return None;
    }
    let nearest = meant(name, brokers.iter().copied());
    let advice = nearest
        .map_or_else(|| "check the names and scopes of both".to_owned(), |meant| format!("did you mean {meant}?"));
    Some(format!("spec.pubsubname is {name:?}, which is no pubsub component of this app; {advice}"))
}

/// The field that a Component cannot do without and does not have.
pub(crate) fn lacking(metadata: &ObjectMeta, kind: &str) -> Option<&'static str> {
    if metadata.name.is_empty() {
        return Some("metadata.name");
    }
    kind.is_empty().then_some("spec.type")
}
