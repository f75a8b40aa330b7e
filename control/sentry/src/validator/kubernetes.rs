//! Tokens of service accounts, which Kubernetes vouches for: they tell the pod, and the pod tells the app (protocols.md 5.2).
use crate::error::Refusal;
use crate::kubernetes::{Kubernetes, Pod, Reviewed};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use foundation_identity::{SpiffeId, TrustDomain};
use serde_json::Value;
use std::sync::Arc;

const SCOPE: &str = "dapr.sentry.identity.kubernetes";
/// The audience of old installations.
const AUDIENCE: &str = "dapr.io/sentry";
const APP_ID: &str = "dapr.io/app-id";
const CONFIGURATION: &str = "dapr.io/config";
const CONTROL_PLANE: &str = "dapr.io/control-plane";
const SERVICES: [&str; 5] = ["injector", "operator", "placement", "scheduler", "sentry"];
const USUAL_DOMAIN: &str = "public";

/// Checks tokens.
pub struct PodTokens {
    kubernetes: Arc<Kubernetes>,
    /// Namespace and trust domain of the control plane.
    sentry: SpiffeId,
}

impl PodTokens {
    pub(crate) fn new(kubernetes: Arc<Kubernetes>, sentry: SpiffeId) -> Self {
        Self { kubernetes, sentry }
    }

    /// The identity that the bearer of the token has; its trust domain is not that which was asked for.
    pub(crate) async fn check(&self, id: &SpiffeId, token: &str) -> Result<SpiffeId, Refusal> {
        let sentry = self.sentry.to_string();
        let audiences = [AUDIENCE, sentry.as_str()];
        let reviewed = self.kubernetes.review(token, &audiences).await;
        let reviewed = reviewed.map_err(|reason| unanswered("token review failed", &reason))?;
        let (namespace, account) = bearer(&reviewed, &audiences)?;
        let name = pod_name(token).ok_or_else(|| denied("the token is of no pod"))?;
        if namespace != id.namespace() {
            return Err(Refusal::Denied(format!("namespace mismatch; received namespace: {}", id.namespace())));
        }
        let pod = self.kubernetes.pod(namespace, &name).await;
        let pod = pod.map_err(|reason| unanswered("failed to get pod of identity", &reason))?;
        let pod = pod.ok_or_else(|| denied("failed to get pod of identity"))?;
        if pod.spec.service_account != account {
            return Err(denied("pod service account mismatch"));
        }
        let (expected, is_control_plane) = self.expected(&pod)?;
        if expected != id.app_id() {
            return Err(Refusal::Denied(format!("app-id mismatch. expected: {expected}, received: {}", id.app_id())));
        }
        let domain = if is_control_plane { self.sentry.trust_domain().clone() } else { self.domain(&pod).await? };
        SpiffeId::new(domain, id.namespace(), id.app_id()).map_err(|error| Refusal::Denied(error.to_string()))
    }

    /// Who the pod is, and whether that is a service of the control plane.
    fn expected(&self, pod: &Pod) -> Result<(String, bool), Refusal> {
        let app_id = pod.annotation(APP_ID);
        let Some(service) = pod.annotation(CONTROL_PLANE) else {
            return Ok((app_id.unwrap_or(pod.name()).to_owned(), false));
        };
        if pod.namespace() != self.sentry.namespace() {
            let namespace = pod.namespace();
            return Err(Refusal::Denied(format!("control plane service in namespace '{namespace}' is not allowed")));
        }
        if !SERVICES.contains(&service) {
            return Err(Refusal::Denied(format!("unknown control plane service '{service}'")));
        }
        if app_id.is_some() {
            return Err(Refusal::Denied(format!(
                "control plane service '{service}' cannot have annotation '{APP_ID}'"
            )));
        }
        Ok((format!("dapr-{service}"), true))
    }

    async fn domain(&self, pod: &Pod) -> Result<TrustDomain, Refusal> {
        let named = match pod.annotation(CONFIGURATION) {
            None => None,
            Some(name) => {
                let domain = self.kubernetes.trust_domain(pod.namespace(), name).await;
                domain.map_err(|reason| unanswered("failed to get configuration", &reason))?
            }
        };
        let domain = TrustDomain::new(named.as_deref().unwrap_or(USUAL_DOMAIN));
        domain.map_err(|error| Refusal::Denied(format!("failed to parse trust domain: {error}")))
    }
}

/// Namespace and name of the service account that a token is of.
fn bearer<'a>(reviewed: &'a Reviewed, audiences: &[&str]) -> Result<(&'a str, &'a str), Refusal> {
    if !reviewed.error.is_empty() {
        return Err(Refusal::Denied(format!("invalid token: {}", reviewed.error)));
    }
    if !reviewed.authenticated {
        return Err(denied("authentication failed"));
    }
    let fits = |audience: &String| audiences.contains(&audience.as_str());
    if !reviewed.audiences.is_empty() && !reviewed.audiences.iter().any(fits) {
        return Err(denied("the token is for another audience"));
    }
    let parts: Vec<&str> = reviewed.user.username.split(':').collect();
    match parts.as_slice() {
        ["system", "serviceaccount", namespace, account] => Ok((namespace, account)),
        _ => Err(denied("provided token is not a properly structured service account token")),
    }
}

/// The pod that a token names. Kubernetes has vouched for all that is in it.
fn pod_name(token: &str) -> Option<String> {
    let claims: Value = match token.split('.').nth(1) {
        Some(claims) if !token.starts_with('{') => {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?).ok()?
        }
        _ => serde_json::from_str(token).ok()?,
    };
    let name = claims["kubernetes.io"]["pod"]["name"].as_str()?;
    Some(name).filter(|name| !name.is_empty()).map(str::to_owned)
}

fn denied(what: &str) -> Refusal {
    Refusal::Denied(what.to_owned())
}

/// The reason is the operator's to know.
fn unanswered(what: &str, reason: &dyn std::fmt::Display) -> Refusal {
    tracing::error!(target: SCOPE, "{what}: {reason}");
    denied(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_name_their_pod() {
        let token = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        let claims = r#"{"kubernetes.io": {"pod": {"name": "web.0"}}}"#;
        assert_eq!(pod_name(&token(claims)).as_deref(), Some("web.0"));
        assert_eq!(pod_name(claims).as_deref(), Some("web.0"));
        for nothing in ["", "junk", "a.b.c", "{}", &token("{}"), &token(r#"{"kubernetes.io": {"pod": {"name": ""}}}"#)]
        {
            assert_eq!(pod_name(nothing), None, "{nothing}");
        }
    }
}
