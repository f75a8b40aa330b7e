//! Files to resources, and resources to differences.
mod configuration;
mod hints;
mod validation;

use crate::*;
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const READER: Reader<'static> = Reader { app_id: "app", namespace: "" };

fn read(text: &str) -> Loaded {
    load_text(text, Path::new("a.yaml"), READER).unwrap()
}

fn folder(files: &[(&str, &str)]) -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
    let path = folder.path().to_owned();
    (folder, vec![path])
}

fn component(name: &str, more: &str) -> String {
    let head = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: ";
    format!("{head}{name}\n{more}\nspec:\n  type: state.in-memory\n  version: v1\n---\n")
}

fn names(loaded: &Loaded) -> Vec<&str> {
    loaded.resources.components.iter().map(|component| component.metadata.name.as_str()).collect()
}

#[test]
fn a_component_with_all_its_fields() {
    let text = r#"
        {"apiVersion": "dapr.io/v1alpha1", "Kind": "Component", "metadata": {"NAME": 123, "namespace": "ns"},
         "spec": {"type": "state.redis", "version": null, "IgnoreErrors": true, "initTimeout": "1m", "metadata": [
           {"name": "a", "value": "text"}, {"name": "b", "value": true}, {"name": "c", "value": 1.0},
           {"name": "d", "value": {"x": [1]}}, {"name": "e", "secretKeyRef": {"name": "s"}}, {"name": "f", "envRef": "E"}
         ]}, "auth": {"secretstore": "vault"}, "scopes": ["app"]}"#;
    let text = text.replace("\"Kind\"", "\"kind\"");
    let loaded = read(&text);
    let [component] = loaded.resources.components.as_slice() else { panic!("{:?}", loaded.problems) };
    assert_eq!((component.metadata.name.as_str(), component.metadata.namespace.as_str()), ("123", "ns"));
    assert_eq!((component.spec.version.as_str(), component.auth.secret_store.as_str()), ("", "vault"));
    assert!(component.spec.ignore_errors && component.spec.init_timeout().as_secs() == 60);
    let texts: Vec<_> = component.spec.metadata.iter().filter_map(NameValue::text).collect();
    assert_eq!(texts, ["text", "true", "1", r#"{"x":[1]}"#]);
    assert_eq!(
        component.spec.metadata[4].secret().map(|secret| (secret.name.as_str(), secret.key())),
        Some(("s", "s"))
    );
    assert_eq!(component.spec.metadata[5].env_ref, "E");
    assert_eq!(component.log_name(), "123 (state.redis/)");
}

#[test]
fn documents_are_divided_by_dashes_and_others_passed_over() {
    let other = "kind: Deployment\napiVersion: apps/v1\n--- # one more\n";
    let text = format!("---\n{}{other}{}", component("a", ""), component("b", ""));
    let loaded = read(&text);
    assert_eq!(names(&loaded), ["a", "b"]);
    assert!(loaded.problems.is_empty());
}

#[test]
fn kinds_and_versions_with_typing_errors_are_named() {
    let typo = component("typo", "").replace("kind: Component", "kind: Componnet");
    let other = component("other", "").replace("kind: Component", "kind: Pod");
    let old = component("old", "").replace("v1alpha1", "v9");
    let problems: Vec<_> = read(&(typo + &other + &old)).problems.iter().map(ToString::to_string).collect();
    let [typo, other, old] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!(typo, "a.yaml: Componnet typo: kind is none that is known; did you mean Component?");
    assert!(
        other.starts_with("a.yaml: Pod other: kind is none that is known; use Component, Configuration, "),
        "{other}"
    );
    assert_eq!(old, "a.yaml: Component old: apiVersion is none that is known; use dapr.io/v1alpha1");
}

#[test]
fn keys_in_any_case() {
    let text = "apiversion: dapr.io/v1alpha1\nKind: Component\nMetaData: {name: a}\nSpec: {TYPE: state.x}\n";
    assert_eq!(read(text).resources.components[0].spec.kind, "state.x");
}

#[test]
fn what_cannot_be_read_is_left_out_and_named() {
    let broken = component("bad", "").replace("type: state.in-memory", "ignoreErrors: sure");
    let listed = component("list", "").replace("  version: v1", "  metadata: [{name: [1]}]");
    let slashed = component("a/b", "");
    let text = format!("{broken}{listed}{slashed}a: [hush\n---\n{}", component("good", ""));
    let loaded = read(&text);
    assert_eq!(names(&loaded), ["good"]);
    let problems: Vec<_> = loaded.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems[0], "a.yaml: Component bad: spec.ignoreErrors must be a boolean");
    assert_eq!(problems[1], "a.yaml: Component list: spec.metadata[0].name must be a text");
    assert!(problems[2].starts_with("a.yaml: Component a/b: metadata.name must not be"), "{}", problems[2]);
    assert_eq!(problems[3], "a.yaml: is no YAML near line 28: unclosed bracket '['");
}

#[test]
fn scopes_and_namespaces() {
    let text = component("mine", "scopes: [other, app]") + &component("theirs", "scopes: [other]");
    assert_eq!(names(&read(&text)), ["mine"]);
    let text = component("a", "  namespace: one") + &component("b", "  namespace: two") + &component("c", "");
    let of = |namespace| load_text(&text, Path::new("a.yaml"), Reader { app_id: "app", namespace }).unwrap();
    assert_eq!([names(&of("one")), names(&of(""))], [vec!["a", "c"], vec!["a", "b", "c"]]);
}

#[test]
fn equal_names_of_one_kind_are_refused_unless_they_are_for_others() {
    let text = component("a", "") + &component("a", "").replace("state.", "pubsub.") + &component("b", "");
    let error = load_text(&(text + &component("b", "")), Path::new("a.yaml"), READER).unwrap_err();
    let expected = "duplicate definition of Component name a (pubsub.in-memory/v1) with existing a (state.in-memory/v1)\n\
                    duplicate definition of Component name b (state.in-memory/v1) with existing b (state.in-memory/v1)";
    assert_eq!(error.to_string(), expected);
    assert_eq!(names(&read(&(component("a", "scopes: [other]") + &component("a", "")))), ["a"]);
    let endpoint =
        "---\napiVersion: dapr.io/v1alpha1\nkind: HTTPEndpoint\nmetadata: {name: a}\nspec: {baseURL: http://x}\n";
    let loaded = read(&(component("a", "") + endpoint));
    assert_eq!(loaded.resources.http_endpoints[0].spec.base_url, "http://x");
}

#[test]
fn subscriptions_of_both_versions() {
    let spec =
        "metadata: {name: NAME}\nspec:\n  pubsubname: p\n  topic: t\n  route: /old\n  routes: {default: /new}\n---\n";
    let one = format!("apiVersion: dapr.io/v1alpha1\nkind: Subscription\n{}", spec.replace("NAME", "one"));
    let two = format!("apiVersion: dapr.io/v2alpha1\nkind: Subscription\n{}", spec.replace("NAME", "two"));
    let loaded = read(&(one.clone() + &two + &one.replace("topic: t", "topic: last")));
    let all: Vec<_> = loaded.resources.subscriptions.iter().map(|one| &one.spec).collect();
    let texts: Vec<_> = all.iter().map(|spec| (spec.topic.as_str(), spec.routes.default.as_str())).collect();
    assert_eq!(texts, [("t", "/new"), ("last", "/old")]);
}

#[test]
fn yaml_files_of_folders_in_the_order_of_their_names() {
    let (a, b) = (component("a", ""), component("b", ""));
    let files = [("2.YML", b.as_str()), ("1.yaml", a.as_str()), ("3.txt", "no"), ("4.json", "{}")];
    let (folder, paths) = folder(&files);
    fs::create_dir(folder.path().join("inner.yaml")).unwrap();
    fs::write(folder.path().join("latin.yaml"), [0xff, 0xfe, 0xfd]).unwrap();
    let loaded = load(&paths, READER).unwrap();
    assert_eq!(names(&loaded), ["a", "b"]);
    assert!(loaded.problems[0].file.ends_with("latin.yaml"));
    let missing = load(&[folder.path().join("missing")], READER).unwrap_err();
    assert!(matches!(missing, Error::Unreadable { .. }), "{missing}");
}

#[test]
fn differences_by_name_and_content() {
    let before = read(&(component("same", "") + &component("changed", "") + &component("gone", "")));
    let changed = component("changed", "").replace("version: v1", "version: v2");
    let after = read(&(component("new", "") + &changed + &component("same", "")));
    let diff = Diff::between(&before.resources.components, &after.resources.components);
    let events: Vec<_> = diff.events().map(|(event, one)| (event, one.metadata.name.as_str())).collect();
    assert_eq!(events, [("DELETED", "gone"), ("UPDATED", "changed"), ("CREATED", "new")]);
    assert!(Diff::between(&after.resources.components, &after.resources.components).is_empty());
}

#[test]
fn what_cannot_be_read_any_more_is_kept() {
    let (a, b) = (component("a", ""), component("b", ""));
    let before = read(&(a.clone() + &b));
    let broken = a.replace("type: state.in-memory", "ignoreErrors: sure");
    assert_eq!(names(&read(&(b + &broken)).keeping(&before)), ["b", "a"]);
    assert_eq!(names(&read("a: [").keeping(&before)), ["a", "b"]);
    let again = read("a: [").keeping(&read("a: [").keeping(&before));
    assert_eq!(names(&again), ["a", "b"]);
}

#[test]
fn what_a_file_has_no_more_is_gone_at_the_second_look() {
    let before = read(&(component("a", "") + &component("b", "")));
    for half in ["", "apiVersion: dapr.io/v1alpha1", &component("a", "")] {
        let once = read(half).keeping(&before);
        assert_eq!((names(&once), once.is_doubtful()), (vec!["a", "b"], true), "{half}");
        let back = read(&(component("a", "") + &component("b", ""))).keeping(&once);
        assert!(!back.is_doubtful());
        let twice = read(half).keeping(&once);
        assert_eq!((names(&twice), twice.is_doubtful()), (names(&read(half)), false), "{half}");
    }
    let folder = tempfile::tempdir().unwrap();
    let empty = load(&[folder.path().to_owned()], READER).unwrap();
    assert!(names(&empty.keeping(&before)).is_empty(), "a file that is gone is gone");
}

proptest! {
    #[test]
    fn no_text_makes_the_loader_panic(text in "(\\PC|\n|---\n){0,200}") {
        drop(load_text(&text, Path::new("a.yaml"), READER));
    }

    #[test]
    fn no_field_makes_the_loader_panic(
        kind in "Component|Subscription|Configuration|Resiliency|HTTPEndpoint|MCPServer|WorkflowAccessPolicy",
        spec in json(),
        scopes in json(),
    ) {
        let document = serde_json::json!({
            "apiVersion": "dapr.io/v1alpha1", "kind": kind, "metadata": {"name": "x"}, "spec": spec, "scopes": scopes,
        });
        let loaded = load_text(&document.to_string(), Path::new("a.yaml"), READER).unwrap();
        for policy in &loaded.resources.workflow_access_policies { policy.check().ok(); }
        for server in &loaded.resources.mcp_servers { server.check().and(server.check_security(false)).ok(); }
    }
}

/// JSON with the names of real fields.
fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let names =
        "metadata|name|value|secretKeyRef|policies|timeouts|retries|endpoint|sse|url|rules|callers|features|tracing";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9]{0,5}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(names, inner, 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}
