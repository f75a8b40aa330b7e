//! Allow and deny lists of the API (surface.md 2.2): which endpoints exist for the app.
use foundation_endpoint::Endpoint;
use foundation_resources::ApiAccessRule as Rule;
use std::collections::HashSet;

/// Both lists, for both protocols. Deny is tested first; an empty allow list allows everything.
#[derive(Clone, Debug, Default)]
pub struct Access {
    http: Lists,
    grpc: Lists,
}

/// Keys `version/name` over HTTP, `name.version` over gRPC.
#[derive(Clone, Debug, Default)]
struct Lists {
    allowed: HashSet<String>,
    denied: HashSet<String>,
}

impl Access {
    /// The lists as a Configuration has them. The protocol of a rule is `http` in any case or `grpc` exactly; a rule without
    /// one counts for nothing.
    pub fn new(allowed: &[Rule], denied: &[Rule]) -> Self {
        Self {
            http: Lists { allowed: http_keys(allowed), denied: http_keys(denied) },
            grpc: Lists { allowed: grpc_keys(allowed), denied: grpc_keys(denied) },
        }
    }

    /// Whether an HTTP endpoint exists. Health always does.
    pub fn allows_endpoint(&self, endpoint: &Endpoint) -> bool {
        endpoint.group == "healthz" || self.allows_path(endpoint.version, endpoint.group, endpoint.path)
    }

    /// Whether apps may be called over HTTP.
    pub fn allows_invoke(&self) -> bool {
        self.allows_path("v1.0", "invoke", "invoke/*")
    }

    /// Whether there is any list for gRPC.
    pub fn limits_grpc(&self) -> bool {
        !self.grpc.allowed.is_empty() || !self.grpc.denied.is_empty()
    }

    /// Whether a gRPC method of a group such as `state.v1` may be called; one that is in no group is not in an allow list.
    pub fn allows_grpc(&self, group: &str) -> bool {
        !self.grpc.denied.contains(group) && (self.grpc.allowed.is_empty() || self.grpc.allowed.contains(group))
    }

    fn allows_path(&self, version: &str, group: &str, path: &str) -> bool {
        let key = format!("{}/{group}", short(version));
        let full = format!("{version}/{path}");
        let matches = |list: &HashSet<String>| list.contains(&key) || list.iter().any(|rule| full.starts_with(rule));
        !matches(&self.http.denied) && (self.http.allowed.is_empty() || matches(&self.http.allowed))
    }
}

/// `v1.0-alpha1` is `v1alpha1` in groups.
fn short(version: &str) -> String {
    version.replacen(".0", "", 1).replacen('-', "", 1)
}

fn http_keys(rules: &[Rule]) -> HashSet<String> {
    let rules = rules.iter().filter(|rule| rule.protocol.eq_ignore_ascii_case("http"));
    rules.map(|rule| format!("{}/{}", rule.version, rule.name)).collect()
}

fn grpc_keys(rules: &[Rule]) -> HashSet<String> {
    let rules = rules.iter().filter(|rule| rule.protocol == "grpc");
    rules.map(|rule| format!("{}.{}", rule.name, rule.version)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, version: &str, protocol: &str) -> Rule {
        Rule { name: name.to_owned(), version: version.to_owned(), protocol: protocol.to_owned() }
    }

    #[test]
    fn deny_comes_first_and_protocols_are_apart() {
        let allowed = [rule("state", "v1.0", "http"), rule("publish", "v1.0", "HTTP"), rule("state", "v1", "grpc")];
        let denied = [rule("publish", "v1.0", "http"), rule("state", "v1", "GRPC"), rule("secrets", "v1.0", "")];
        let access = Access::new(&allowed, &denied);
        assert!(access.allows_path("v1.0", "state", "state/{store}"));
        assert!(!access.allows_path("v1.0", "publish", "publish/{pubsub}/{*topic}"));
        assert!(!access.allows_path("v1.0", "secrets", "secrets/{store}/bulk"));
        assert!(!access.allows_invoke());
        assert!(access.allows_grpc("state.v1") && !access.allows_grpc("publish.v1"));
    }

    #[test]
    fn versions_have_two_spellings() {
        let access = Access::new(&[], &[rule("state", "v1alpha1", "http")]);
        assert!(!access.allows_path("v1.0-alpha1", "state", "state/{store}/query"));
        assert!(access.allows_path("v1.0", "state", "state/{store}"));
        assert!(!access.limits_grpc());
    }
}
