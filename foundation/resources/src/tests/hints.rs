//! What is said of names that do nothing and of fields that are missing.
use super::{component, folder, read};
use crate::*;

fn hints(text: &str) -> Vec<String> {
    read(text).hints.iter().map(ToString::to_string).collect()
}

fn resource(version: &str, kind: &str, spec: &str) -> String {
    format!("apiVersion: dapr.io/{version}\nkind: {kind}\nmetadata: {{name: x, labels: {{a: b}}}}\nspec: {spec}\n")
}

#[test]
fn names_that_no_field_has_are_told_with_what_was_meant() {
    let scoped = component("a", "scope: [app]").replace("  version: v1", "  metadata: [{name: n, vaule: 1}]");
    assert_eq!(
        hints(&scoped),
        [
            "a.yaml: Component a: scope is no field of Component and has no effect; did you mean scopes?",
            "a.yaml: Component a: spec.metadata[0].vaule is no field of Component and has no effect; did you mean value?",
        ]
    );
    let policies = resource("v1alpha1", "Resiliency", "{targets: {component: {store: {outbound: {retyr: a}}}}}");
    assert_eq!(
        hints(&policies),
        [
            "a.yaml: Resiliency x: spec.targets.component is no field of Resiliency and has no effect; did you mean components?"
        ]
    );
    let endpoint = resource("v1alpha1", "HTTPEndpoint", "{BASEURL: http://a, colour: red}");
    assert_eq!(
        hints(&endpoint),
        [
            "a.yaml: HTTPEndpoint x: spec.colour is no field of HTTPEndpoint and has no effect; check its spelling and its place"
        ]
    );
}

#[test]
fn settings_of_users_are_no_fields() {
    let open = component("a", "auth: {secretStore: s}")
        .replace("  version: v1", "  metadata: [{name: n, value: {any: {thing: 1}}}]");
    assert!(hints(&open).is_empty());
    let names = resource(
        "v1alpha1",
        "Resiliency",
        "{policies: {timeouts: {mine: 1s}}, targets: {apps: {own: {timeout: mine}}}}",
    );
    assert!(hints(&names).is_empty());
}

#[test]
fn paths_of_subscriptions_belong_to_a_version() {
    let spec = "{pubsubName: p, topic: t, ROUTES}";
    let broker = component("p", "").replace("state.", "pubsub.");
    let of = |version, routes| {
        hints(&(broker.clone() + &resource(version, "Subscription", &spec.replace("ROUTES", routes))))
    };
    let said = "a.yaml: Subscription x: spec.route has no effect in dapr.io/v2alpha1; use spec.routes.default, or the other apiVersion";
    assert_eq!(of("v2alpha1", "route: /a"), [said]);
    assert!(of("v2alpha1", "routes: {default: /a}").is_empty() && of("v1alpha1", "route: /a").is_empty());
    assert_eq!(of("v1alpha1", "routes: {default: /a}").len(), 1);
}

#[test]
fn a_subscription_needs_a_broker() {
    let broker = component("pubsub", "").replace("state.", "pubsub.");
    let of = |name| {
        let spec = format!("{{pubsubname: {name}, topic: t, routes: {{default: /a}}}}");
        hints(&(resource("v2alpha1", "Subscription", &spec) + "---\n" + &broker + &component("store", "")))
    };
    assert!(of("pubsub").is_empty());
    let said = "a.yaml: Subscription x: spec.pubsubname is \"pubsbu\", which is no pubsub component of this app; did you mean pubsub?";
    assert_eq!(of("pubsbu"), [said]);
    assert!(of("store")[0].ends_with("no pubsub component of this app; check the names and scopes of both"));
}

#[test]
fn a_configuration_among_the_resources_is_told() {
    let [told] = hints(&resource("v1alpha1", "Configuration", "{}")).try_into().unwrap();
    assert!(
        told.starts_with(
            "a.yaml: Configuration x: it has no effect in a resources folder; name its file with --config"
        )
    );
}

#[test]
fn a_component_needs_a_name_and_a_type() {
    let text = component("x1", "").replace("type: state.in-memory", "ignoreErrors: false");
    let nameless = component("", "");
    let mild = component("x2", "").replace("type: state.in-memory", "ignoreErrors: true");
    let loaded = read(&(text + &nameless + &mild + &component("good", "")));
    let told: Vec<_> = loaded.problems.iter().map(|problem| (problem.to_string(), problem.is_fatal)).collect();
    assert_eq!(
        told,
        [
            ("a.yaml: Component x1: spec.type is missing".to_owned(), true),
            ("a.yaml: Component: metadata.name is missing".to_owned(), false),
            ("a.yaml: Component x2: spec.type is missing".to_owned(), false),
        ]
    );
    assert_eq!(super::names(&loaded), ["good"]);
}

#[test]
fn names_in_configuration_files_are_told_too() {
    let spec = "{trasing: {}, tracing: {stdot: true}, nameResolution: {configuration: {any: 1}}}";
    let (_folder, paths) = folder(&[("c.yaml", &resource("v1alpha1", "Configuration", spec))]);
    let file = paths[0].join("c.yaml");
    let (_, said) = Configuration::read(std::slice::from_ref(&file), &|_| None).unwrap();
    let said: Vec<_> = said.iter().map(|hint| hint.reason.as_str()).collect();
    assert_eq!(
        said,
        [
            "spec.trasing is no field of Configuration and has no effect; did you mean tracing?",
            "spec.tracing.stdot is no field of Configuration and has no effect; did you mean stdout?",
        ]
    );
}
