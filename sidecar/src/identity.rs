//! The identity of the sidecar, when calls between sidecars are secured (protocols.md 5.3, surface.md 4.3).
use crate::options::{Environment, Options};
use anyhow::{Context, bail};
use foundation_drain::Drain;
use foundation_identity::{Anchors, Error, Identity, Sentry, SpiffeId, TrustDomain, Watch};
use foundation_telemetry::Metrics;
use std::sync::Arc;

const SCOPE: &str = "dapr.runtime.security";
const SENTRY: &str = "dapr-sentry";

/// Gets an identity from sentry, and keeps it fresh; none when mTLS is off.
///
/// # Errors
/// An address or roots that are missing or cannot be used. A sentry that does not answer is waited for.
pub(crate) async fn start(options: &Options, metrics: &Metrics, drain: &Drain) -> anyhow::Result<Option<Identity>> {
    let Some(mtls) = &options.mtls else {
        tracing::warn!(target: SCOPE, "mTLS is disabled. Skipping certificate request and tls validation");
        return Ok(None);
    };
    if mtls.sentry_address.is_empty() {
        bail!("mTLS needs the address of sentry; set --sentry-address");
    }
    let environment = &options.environment;
    let trust_domain = TrustDomain::new(&mtls.trust_domain).context("invalid control plane trust domain")?;
    let sentry = Sentry {
        address: mtls.sentry_address.clone(),
        id: SpiffeId::new(trust_domain, &mtls.namespace, SENTRY)?,
        namespace: environment.namespace().to_owned(),
        app_id: environment.filled("SENTRY_LOCAL_IDENTITY").unwrap_or(&options.app_id).to_owned(),
        trust_domain: None,
        token: environment.filled("DAPR_SENTRY_TOKEN_FILE").map(Into::into),
        jwt_audiences: mtls.jwt_audiences.clone(),
        copies: None,
    };
    let identity = foundation_identity::start(sentry, anchors(environment)?, counted(metrics.clone()), drain).await?;
    Ok(Some(identity))
}

/// Renewals and failures as metrics.
fn counted(metrics: Metrics) -> Watch {
    Arc::new(move |outcome: Result<(), &Error>| match outcome {
        Ok(()) => metrics.workload_certificate_rotated(),
        Err(error) => metrics.workload_certificate_rotation_failed(error.reason()),
    })
}

fn anchors(environment: &Environment) -> anyhow::Result<Anchors> {
    match (environment.filled("DAPR_TRUST_ANCHORS"), environment.filled("DAPR_TRUST_ANCHORS_FILE")) {
        (Some(_), Some(_)) => bail!("set one of DAPR_TRUST_ANCHORS and DAPR_TRUST_ANCHORS_FILE, not both"),
        (Some(text), None) if !text.contains("-----BEGIN") => {
            bail!("DAPR_TRUST_ANCHORS has no certificate in PEM; a file is named by DAPR_TRUST_ANCHORS_FILE")
        }
        (Some(text), None) => Ok(Anchors::Text(text.to_owned())),
        (None, Some(path)) => Ok(Anchors::File(path.into())),
        (None, None) => bail!("trust anchors are required; set DAPR_TRUST_ANCHORS or DAPR_TRUST_ANCHORS_FILE"),
    }
}
