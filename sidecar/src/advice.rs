//! What a configuration says about security that will not do what was probably meant. Dapr takes all of it in silence.
use foundation_resources::{AccessControl, ApiAccessRule, AppPolicy, ConfigurationSpec, Operation};
use std::collections::BTreeMap;

const VERBS: [&str; 10] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "*"];

/// One text for each doubt. `has_mtls` is whether callers prove who they are, `http_app` whether the own app speaks HTTP.
pub(crate) fn of(configuration: &ConfigurationSpec, has_mtls: bool, http_app: bool) -> Vec<String> {
    let asks_for_mtls = configuration.mtls.as_ref().and_then(|mtls| mtls.enabled).unwrap_or_default();
    let mut advice = Vec::new();
    if asks_for_mtls && !has_mtls {
        advice
            .push("spec.mtls.enabled switches mTLS on for `dapr run`; a sidecar has it with --enable-mtls".to_owned());
    }
    if let Some(access) = &configuration.access_control {
        advice.extend(of_access(access, has_mtls, http_app));
    }
    if let Some(api) = &configuration.api {
        advice.extend(of_rules("allowed", &api.allowed));
        advice.extend(of_rules("denied", &api.denied));
    }
    advice
}

fn of_access(access: &AccessControl, has_mtls: bool, http_app: bool) -> Vec<String> {
    let at = "spec.accessControl";
    let mut advice: Vec<_> = of_action(&format!("{at}.defaultAction"), &access.default_action).into_iter().collect();
    if !has_mtls && !access.policies.is_empty() {
        advice.push(format!(
            "{at}.policies have no effect without mTLS, as callers prove nothing: defaultAction is for all of them; see --enable-mtls"
        ));
    }
    let policies = access.policies.iter().enumerate();
    advice.extend(policies.flat_map(|(index, policy)| of_policy(&format!("{at}.policies[{index}]"), policy, http_app)));
    advice
}

fn of_policy(at: &str, policy: &AppPolicy, http_app: bool) -> Vec<String> {
    let mut advice: Vec<_> = of_action(&format!("{at}.defaultAction"), &policy.default_action).into_iter().collect();
    let app_id = &policy.app_id;
    let mut seen = BTreeMap::new();
    for (index, operation) in policy.operations.iter().enumerate() {
        let (at, name) = (format!("{at}.operations[{index}]"), &operation.name);
        advice.extend(of_operation(&at, operation));
        if has_inner_star(name) {
            advice.push(format!("{at}, {name:?} for app {app_id:?}, fits no call: `*` stands for a whole segment only at the end of a path; within it use `**`, which is one segment there"));
        }
        let first = *seen.entry(path(name, http_app)).or_insert(index);
        if first != index {
            advice.push(format!("{at}, {name:?} for app {app_id:?}, has no effect: operations[{first}] is the same path, and the first one counts; put all verbs with one action into one operation"));
        }
    }
    advice
}

fn of_operation(at: &str, operation: &Operation) -> Vec<String> {
    let mut advice: Vec<_> = of_action(&format!("{at}.action"), &operation.action).into_iter().collect();
    if operation.http_verb.is_empty() {
        advice.push(format!("{at} has no httpVerb and so is for calls over gRPC alone; for HTTP use [\"*\"]"));
    }
    let unknown = operation.http_verb.iter().filter(|verb| !VERBS.contains(&verb.as_str()));
    advice.extend(unknown.map(|verb| {
        format!("{at}.httpVerb has {verb:?}, which no call has; use capital letters, such as GET, or \"*\"")
    }));
    advice
}

/// An operation as it is compared: paths of HTTP apps have no case.
fn path(name: &str, http_app: bool) -> String {
    let path = name.strip_prefix('/').unwrap_or(name);
    if http_app { path.to_lowercase() } else { path.to_owned() }
}

fn has_inner_star(name: &str) -> bool {
    name.split('/').rev().skip(1).any(|segment| segment == "*")
}

fn of_action(at: &str, action: &str) -> Option<String> {
    let is_known = ["", "allow", "deny"].iter().any(|known| known.eq_ignore_ascii_case(action));
    (!is_known).then(|| format!("{at} is {action:?}, which counts as deny; use allow or deny"))
}

fn of_rules(list: &str, rules: &[ApiAccessRule]) -> Vec<String> {
    let doubts = rules.iter().enumerate().filter_map(|(index, rule)| Some((index, doubt(rule)?)));
    doubts.map(|(index, doubt)| format!("spec.api.{list}[{index}] has no effect: {doubt}")).collect()
}

fn doubt(rule: &ApiAccessRule) -> Option<String> {
    let version = &rule.version;
    if rule.protocol == "grpc" {
        let is_known = version.starts_with('v') && !version.contains(['.', '-']);
        return (!is_known).then(|| format!("version is {version:?}; over gRPC they are v1, v1alpha1 or v1beta1"));
    }
    if !rule.protocol.eq_ignore_ascii_case("http") {
        return Some(format!("protocol is {:?}; use http or grpc", rule.protocol));
    }
    let is_known = version.starts_with('v');
    (!is_known).then(|| format!("version is {version:?}; over HTTP they are v1.0, v1.0-alpha1 or v1.0-beta1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use foundation_resources::{Api, Mtls};

    fn rule(protocol: &str, version: &str) -> ApiAccessRule {
        ApiAccessRule { name: "state".to_owned(), version: version.to_owned(), protocol: protocol.to_owned() }
    }

    #[test]
    fn policies_want_mtls_and_known_words() {
        let operation = Operation {
            name: "/x".to_owned(),
            http_verb: vec!["GET".to_owned(), "get".to_owned()],
            action: "permit".to_owned(),
        };
        let for_grpc = Operation { name: "/y".to_owned(), ..Operation::default() };
        let policy = AppPolicy {
            default_action: "Deny".to_owned(),
            operations: vec![operation, for_grpc],
            ..AppPolicy::default()
        };
        let access = AccessControl { policies: vec![policy], ..AccessControl::default() };
        let mtls = Mtls { enabled: Some(true), ..Mtls::default() };
        let configuration =
            ConfigurationSpec { access_control: Some(access), mtls: Some(mtls), ..ConfigurationSpec::default() };
        let with = of(&configuration, true, true);
        assert_eq!(with.len(), 3, "{with:?}");
        assert!(with[0].contains("operations[0].action is \"permit\"") && with[1].contains("has \"get\""), "{with:?}");
        assert!(with[2].contains("operations[1] has no httpVerb"), "{with:?}");
        let without = of(&configuration, false, true);
        assert!(without[0].contains("--enable-mtls") && without[1].contains("no effect without mTLS"), "{without:?}");
    }

    #[test]
    fn operations_that_fit_no_call_are_named() {
        let operation = |name: &str| Operation {
            name: name.to_owned(),
            http_verb: vec!["*".to_owned()],
            action: "deny".to_owned(),
        };
        let names = ["/a/*", "/a/*/c", "/a/**/c", "/a/x*/c", "a/*", "/A/*"];
        let policy = AppPolicy {
            app_id: "caller".to_owned(),
            operations: names.map(operation).to_vec(),
            ..AppPolicy::default()
        };
        let access = AccessControl { policies: vec![policy], ..AccessControl::default() };
        let http = of_access(&access, true, true);
        let start = "spec.accessControl.policies[0].operations";
        assert!(http[0].starts_with(&format!("{start}[1], \"/a/*/c\" for app \"caller\", fits no call")), "{http:?}");
        assert!(http[1].starts_with(&format!("{start}[4], \"a/*\" for app \"caller\", has no effect")), "{http:?}");
        assert!(http.len() == 3 && http[2].starts_with(&format!("{start}[5]")), "{http:?}");
        assert_eq!(of_access(&access, true, false).len(), 2);
    }

    #[test]
    fn rules_of_the_api_want_a_protocol_and_its_versions() {
        let denied = vec![rule("", "v1.0"), rule("grpc", "v1.0"), rule("HTTP", "v1.0-alpha1"), rule("grpc", "v1")];
        let api = Api { denied, ..Api::default() };
        let advice = of(&ConfigurationSpec { api: Some(api), ..ConfigurationSpec::default() }, false, true);
        assert_eq!(advice.len(), 2, "{advice:?}");
        assert!(advice[0].starts_with("spec.api.denied[0]") && advice[1].starts_with("spec.api.denied[1]"));
    }
}
