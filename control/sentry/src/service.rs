//! The gRPC service: from a request for a certificate to an identity (protocols.md 5.2).
use crate::error::Refusal;
use crate::request::{audiences, identity, public_key};
use crate::tokens::Tokens;
use crate::validator::Validators;
use arc_swap::ArcSwap;
use foundation_credentials::Authority;
use foundation_identity::SpiffeId;
use prost_types::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;
use tonic::{Request, Response, Status, async_trait};
use wire::sentry::v1::ca_server::Ca;
use wire::sentry::v1::{SignCertificateRequest, SignCertificateResponse};

const SCOPE: &str = "dapr.sentry.server";

/// What signs; it is replaced as a whole when the credentials change.
pub(crate) struct Signers {
    pub(crate) authority: Authority,
    pub(crate) tokens: Option<Tokens>,
    /// When the root ends that vouches for the authority.
    pub(crate) root_expires: SystemTime,
}

/// Gives identities. Clones share everything.
#[derive(Clone)]
pub struct Service {
    signers: Arc<ArcSwap<Signers>>,
    validators: Arc<Validators>,
    /// Namespace and trust domain of the control plane.
    own: SpiffeId,
}

impl Service {
    pub(crate) fn new(signers: Arc<ArcSwap<Signers>>, validators: Arc<Validators>, own: SpiffeId) -> Self {
        Self { signers, validators, own }
    }

    async fn sign(&self, request: &SignCertificateRequest) -> Result<SignCertificateResponse, Refusal> {
        let validator = self.validators.named(request.token_validator)?;
        validator.precheck(&request.token)?;
        let id = validator.check(identity(request)?, &request.token).await?;
        if id == self.own {
            return Err(Refusal::Denied("sentry's own identity is given to nobody".to_owned()));
        }
        let key = public_key(&request.certificate_signing_request)?;
        let signers = self.signers.load();
        let signed = signers.authority.sign(&key, &id, &self.hosts(&id)).map_err(|error| {
            tracing::error!(target: SCOPE, "cannot sign for {id}: {error}");
            Refusal::Sign
        })?;
        let (jwt, per_audience_jwts) = match &signers.tokens {
            Some(tokens) => signed_tokens(tokens, &id, &audiences(&id, &request.jwt_audiences)?)?,
            None => (None, HashMap::new()),
        };
        Ok(SignCertificateResponse {
            workload_certificate: signed.pem().into(),
            trust_chain_certificates: vec![signers.authority.anchors().to_owned().into()],
            valid_until: Some(Timestamp::from(signed.expires)),
            jwt,
            per_audience_jwts,
        })
    }

    /// Names of hosts that services of the control plane have in Kubernetes.
    fn hosts(&self, id: &SpiffeId) -> Vec<String> {
        let namespace = self.own.namespace();
        if id.namespace() != namespace {
            return Vec::new();
        }
        match id.app_id() {
            "dapr-injector" => vec![format!("dapr-sidecar-injector.{namespace}.svc")],
            "dapr-operator" => vec![format!("dapr-webhook.{namespace}.svc")],
            "dapr-scheduler" => {
                let domain = self.own.trust_domain().as_str();
                let host =
                    |number| format!("dapr-scheduler-server-{number}.dapr-scheduler-server.{namespace}.svc.{domain}");
                (0..3).map(host).collect()
            }
            _ => Vec::new(),
        }
    }
}

#[async_trait]
impl Ca for Service {
    async fn sign_certificate(
        &self,
        request: Request<SignCertificateRequest>,
    ) -> Result<Response<SignCertificateResponse>, Status> {
        let request = request.into_inner();
        let signed = self.sign(&request).await.inspect_err(|refusal| {
            tracing::debug!(target: SCOPE, "refused {:.64}/{:.64}: {refusal}", request.namespace, request.id);
        })?;
        Ok(Response::new(signed))
    }
}

type SignedTokens = (Option<String>, HashMap<String, String>);

/// One token for all audiences, and one for each of them.
fn signed_tokens(tokens: &Tokens, id: &SpiffeId, audiences: &[String]) -> Result<SignedTokens, Refusal> {
    let sign = |audiences: &[String]| {
        tokens.sign(id, audiences).map_err(|error| {
            tracing::error!(target: SCOPE, "cannot sign a token for {id}: {error}");
            Refusal::Token
        })
    };
    let mut by_audience = HashMap::new();
    for audience in audiences {
        by_audience.insert(audience.clone(), sign(std::slice::from_ref(audience))?);
    }
    Ok((Some(sign(audiences)?), by_audience))
}
