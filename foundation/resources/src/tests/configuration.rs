//! Configurations: merged, expanded, checked.
use super::folder;
use crate::*;

fn load_all(texts: &[&str]) -> Result<Configuration, Error> {
    let named: Vec<_> = texts.iter().enumerate().map(|(index, text)| (format!("{index}.yaml"), *text)).collect();
    let files: Vec<_> = named.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let (folder, _) = folder(&files);
    let paths: Vec<_> = named.iter().map(|(name, _)| folder.path().join(name)).collect();
    let variable = |name: &str| {
        [("RATE", "0.5"), ("1", "one")].into_iter().find_map(|(known, value)| (known == name).then_some(value))
    };
    Configuration::load(&paths, &variable)
}

fn spec(texts: &[&str]) -> ConfigurationSpec {
    load_all(texts).unwrap().spec
}

#[test]
fn later_files_win_field_by_field() {
    let one =
        "kind: Configuration\nspec: {tracing: {samplingRate: 1, stdout: true}, features: [{name: A, enabled: true}]}";
    let two =
        "Spec: {Tracing: {SamplingRate: '0', zipkin: {endpointAddress: z}}, features: [{name: B, enabled: true}]}";
    let merged = spec(&[one, two]);
    let tracing = merged.tracing.clone().unwrap();
    assert_eq!((tracing.sampling_rate.as_str(), tracing.stdout), ("0", true));
    assert_eq!(tracing.zipkin.unwrap().endpoint_address, "z");
    assert_eq!(merged.enabled_features(), ["B", "HotReload", "WorkflowsRemoteActivityReminder"]);
    assert!(spec(&[]).has_feature("HotReload"));
    assert!(!spec(&["spec: {features: [{name: HotReload}]}"]).has_feature("HotReload"));
}

#[test]
fn the_environment_is_put_in() {
    let text = "spec: {tracing: {samplingRate: '${RATE}', zipkin: {endpointAddress: 'a$RATE-$NONE$1$${'}}}";
    let tracing = spec(&[text]).tracing.unwrap();
    assert_eq!(tracing.sampling_rate, "0.5");
    assert_eq!(tracing.zipkin.unwrap().endpoint_address, "a0.5-one{");
    assert_eq!(spec(&["spec: {tracing: {samplingRate: 'a$ b'}}"]).tracing.unwrap().sampling_rate, "a$ b");
}

#[test]
fn metrics_of_the_newer_name_win() {
    let text =
        "spec: {metric: {enabled: false, latencyDistributionBuckets: [5]}, metrics: {http: {excludeVerbs: true}}}";
    let metrics = spec(&[text]).merged_metrics();
    assert!(!metrics.is_enabled() && metrics.http.unwrap().exclude_verbs == Some(true));
    assert_eq!(metrics.latency_distribution_buckets, Some(vec![5]));
}

#[test]
fn headers_of_a_collector_in_both_forms() {
    let text = "spec: {tracing: {otel: {headers: ['a=b=c', {name: d, value: e}], timeout: 3s, isSecure: false}}}";
    let otel = spec(&[text]).tracing.unwrap().otel.unwrap();
    let headers: Vec<_> = otel.headers.iter().map(|header| (header.name.as_str(), header.text().unwrap())).collect();
    assert_eq!(headers, [("a", "b=c".to_owned()), ("d", "e".to_owned())]);
    assert!(!otel.is_secure() && otel.timeout.unwrap().0.as_secs() == 3);
}

#[test]
fn access_control_has_defaults_and_limits() {
    let control = spec(&["spec: {accessControl: {policies: []}}"]).access_control.unwrap();
    assert_eq!((control.default_action.as_str(), control.trust_domain.as_str()), ("allow", "public"));
    let error =
        load_all(&["spec: {accessControl: {policies: [{appId: a, namespace: n}, {trustDomain: t, namespace: n}]}}"]);
    let expected = "invalid access control spec. missing trustdomain for apps: [a], missing namespace for apps: [], \
                    missing app name on at least one of the app policies: true";
    assert_eq!(error.unwrap_err().to_string(), expected);
}

#[test]
fn secret_scopes() {
    let scope =
        |text: &str| spec(&[&format!("spec: {{secrets: {{scopes: [{text}]}}}}")]).secrets.unwrap().scopes.remove(0);
    let denied = scope("{storeName: s, defaultAccess: Deny}");
    assert!(!denied.allows("a"));
    let listed = scope("{storeName: s, defaultAccess: deny, allowedSecrets: [a], deniedSecrets: [a]}");
    assert!(listed.allows("a") && !listed.allows("b"));
    let open = scope("{storeName: s, deniedSecrets: [a]}");
    assert!(!open.allows("a") && open.allows("b"));
    for wrong in ["{storeName: s}, {storeName: s}", "{storeName: s, defaultAccess: maybe}"] {
        assert!(load_all(&[&format!("spec: {{secrets: {{scopes: [{wrong}]}}}}")]).is_err(), "{wrong}");
    }
}

#[test]
fn denied_components() {
    let spec = spec(&["spec: {components: {deny: [state.Redis, pubsub.kafka/v1]}}"]);
    assert!(!spec.allows_component("state.redis", "v2") && !spec.allows_component("pubsub.kafka", "v1"));
    assert!(spec.allows_component("pubsub.kafka", "v2"));
}

#[test]
fn what_is_wrong_is_named() {
    let error = load_all(&["kind: Configuration\nspec: {features: [{enabled: sure}]}"]).unwrap_err().to_string();
    assert!(error.ends_with("0.yaml: spec.features[0].enabled must be a boolean"), "{error}");
    assert!(load_all(&["- 1"]).is_err());
    let missing = Configuration::load(&["/nowhere/config.yaml".into()], &|_| None).unwrap_err();
    assert!(missing.to_string().starts_with("cannot read /nowhere/config.yaml: "), "{missing}");
}

#[test]
fn a_field_without_a_name_is_told_with_its_file_and_line() {
    let error = load_all(&["spec:\n  accessControl:\n    defaultAction: 5\n    : bad\n"]).unwrap_err().to_string();
    let expected = "0.yaml: is no YAML near line 4: a field has no name before its colon";
    assert!(error.ends_with(expected), "{error}");
}
