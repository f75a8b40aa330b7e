//! Access control: which apps may call which methods of the own app (protocols.md 5.6, surface.md 3.3).
mod operations;
#[cfg(test)]
mod tests;

use foundation_identity::{PeerId, SpiffeId};
use foundation_peer::headers::{CALLER_ID, CALLER_NAMESPACE};
use foundation_peer::method::clean;
use foundation_resources::{AccessControl, AppPolicy};
use foundation_telemetry::{AclDecision, Metrics};
use http::{Extensions, HeaderMap, HeaderValue, Method};
use operations::Operations;
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;
use tonic::Status;

/// Letters of a path in a refusal, which has to fit into a header.
const LONGEST: usize = 4096;
const SCOPE: &str = "dapr.acl";

/// Decides on calls of other apps.
#[derive(Clone, Debug)]
pub struct Access {
    rules: Rules,
    metrics: Metrics,
}

/// What the own app's protocol and configuration say.
#[derive(Clone, Debug, Default)]
struct Rules {
    /// HTTP apps have verbs, and paths without regard to case.
    http: bool,
    allow: bool,
    /// By app id and namespace; the last policy of an app counts.
    apps: BTreeMap<(String, String), Policy>,
}

#[derive(Clone, Debug)]
struct Policy {
    trust_domain: String,
    /// None is as the default for all apps.
    allow: Option<bool>,
    operations: Operations,
}

/// A call of another app.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    /// Who the caller was proven to be; none without mutual TLS.
    pub(crate) caller: Option<&'a SpiffeId>,
    /// The method, normalised.
    pub(crate) operation: &'a str,
    pub(crate) verb: Option<&'a Method>,
}

impl Access {
    /// Reads a configuration; without one all calls are allowed. `http` tells that the own app speaks HTTP.
    pub fn new(configuration: Option<&AccessControl>, http: bool, metrics: Metrics) -> Self {
        Self { rules: configuration.map_or_else(Rules::open, |control| Rules::new(control, http)), metrics }
    }

    /// Whether no call is refused.
    pub(crate) fn is_open(&self) -> bool {
        self.rules.allow && self.rules.apps.is_empty()
    }

    /// Whether the call may reach the app.
    ///
    /// # Errors
    /// The status of a call that may not.
    pub(crate) fn check(&self, call: Call<'_>) -> Result<(), Status> {
        let call = Call { verb: call.verb.filter(|_| self.rules.http), ..call };
        let (allowed, by_app_policy) = self.rules.decide_both(call);
        self.count(call.caller, allowed, by_app_policy);
        if allowed {
            return Ok(());
        }
        let id = call.caller.map(ToString::to_string).unwrap_or_default();
        let operation = call.operation.chars().take(LONGEST).collect::<String>();
        let verb = call.verb.map_or("NONE", Method::as_str);
        let text = format!("access control policy has denied access to id: {id} operation: {operation} verb: {verb}");
        tracing::debug!(target: SCOPE, "{text}");
        Err(Status::permission_denied(text))
    }

    fn count(&self, caller: Option<&SpiffeId>, allowed: bool, by_app_policy: bool) {
        self.metrics.access_decided(AclDecision {
            app_id: caller.map_or("", SpiffeId::app_id),
            trust_domain: caller.map_or("", |caller| caller.trust_domain().as_str()),
            namespace: caller.map_or("", SpiffeId::namespace),
            allowed,
            by_app_policy,
        });
    }
}

impl Rules {
    /// All calls are allowed.
    fn open() -> Self {
        Self { allow: true, ..Self::default() }
    }

    fn new(AccessControl { default_action, trust_domain, policies }: &AccessControl, http: bool) -> Self {
        if default_action.is_empty() && trust_domain.is_empty() && policies.is_empty() {
            return Self::open();
        }
        let by_app =
            |policy: &AppPolicy| ((policy.app_id.clone(), policy.namespace.clone()), Policy::new(policy, http));
        Self { http, allow: is_allow(default_action), apps: policies.iter().map(by_app).collect() }
    }

    /// Decides on the operation as it is written, and as an HTTP app will read it: neither may be forbidden.
    fn decide_both(&self, call: Call<'_>) -> (bool, bool) {
        let written = self.decide(call);
        match as_read(call.operation).filter(|_| self.http && written.0) {
            Some(operation) => self.decide(Call { operation: &operation, ..call }),
            None => written,
        }
    }

    /// Whether a call is allowed, and whether the caller's own policy has a word in it.
    fn decide(&self, call: Call<'_>) -> (bool, bool) {
        let Some(policy) = call.caller.and_then(|caller| self.policy(caller)) else { return (self.allow, false) };
        let usual = policy.allow.unwrap_or(self.allow);
        let operation = format!("/{}", call.operation.trim_start_matches('/'));
        let operation = if self.http { operation.to_lowercase() } else { operation };
        let allowed = match policy.operations.find(&operation) {
            None => usual,
            Some(rule) if !self.http => rule.allow,
            // A call without a verb fits no rule for verbs, and only the app's own default may allow it.
            Some(rule) => match call.verb {
                Some(verb) => rule.of_verb(verb).unwrap_or(usual),
                // It is gRPC, which is a POST for an app that speaks HTTP/2.
                None => policy.allow.unwrap_or(false) && rule.of_verb(&Method::POST).unwrap_or(true),
            },
        };
        (allowed, policy.allow.is_some())
    }

    fn policy(&self, caller: &SpiffeId) -> Option<&Policy> {
        let policy = self.apps.get(&(caller.app_id().to_owned(), caller.namespace().to_owned()))?;
        (policy.trust_domain == caller.trust_domain().as_str()).then_some(policy)
    }
}

impl Policy {
    fn new(policy: &AppPolicy, http: bool) -> Self {
        let allow = Some(&policy.default_action).filter(|action| !action.is_empty()).map(|action| is_allow(action));
        let trust_domain = policy.trust_domain.clone();
        Self { trust_domain, allow, operations: Operations::new(&policy.operations, http) }
    }
}

/// Who made a request, if its connection proved it.
pub(crate) fn caller(extensions: &Extensions) -> Option<&SpiffeId> {
    extensions.get::<PeerId>().map(|peer| &peer.0)
}

/// Has a caller that proved who it is say the same of itself: apps go by these names.
pub(crate) fn name_caller(extensions: &Extensions, headers: &mut HeaderMap) {
    let Some(id) = caller(extensions) else { return };
    for (name, proven) in [(CALLER_ID, id.app_id()), (CALLER_NAMESPACE, id.namespace())] {
        if let (Some(_), Ok(proven)) = (headers.remove(name), HeaderValue::from_str(proven)) {
            headers.insert(name, proven);
        }
    }
}

/// An operation whose escapes are resolved, if it has any. `..` that comes out of them is resolved as well.
fn as_read(operation: &str) -> Option<String> {
    let is_escaped = operation.contains('%');
    is_escaped.then(|| clean(&percent_decode_str(&format!("/{operation}")).decode_utf8_lossy()))
}

fn is_allow(action: &str) -> bool {
    action.eq_ignore_ascii_case("allow")
}
