//! Requests for certificates: what they must hold (protocols.md 5.2).
use crate::error::Refusal;
use foundation_identity::{SpiffeId, TrustDomain};
use rcgen::SubjectPublicKeyInfo;
use rustls_pki_types::pem::{SectionKind, from_buf};
use wire::sentry::v1::SignCertificateRequest;
use x509_parser::prelude::{FromDer, X509CertificationRequest};

/// Characters of an app id.
const LONGEST_ID: usize = 64;
const DEFAULT_TRUST_DOMAIN: &str = "public";

/// The identity that is asked for, if it can be one; whether it may be had is the validator's word.
pub(crate) fn identity(request: &SignCertificateRequest) -> Result<SpiffeId, Refusal> {
    let id = request.id.as_str();
    let faults: Vec<&str> = [
        (id.is_empty(), "parameter app-id cannot be empty"),
        (id.contains('.'), "parameter app-id cannot contain dots"),
        (id.len() > LONGEST_ID, "app ID must be 64 characters or less"),
        (request.certificate_signing_request.is_empty(), "CSR is required"),
        (request.namespace.is_empty(), "namespace is required"),
    ]
    .into_iter()
    .filter_map(|(is_wrong, what)| is_wrong.then_some(what))
    .collect();
    if !faults.is_empty() {
        return Err(Refusal::Denied(format!("invalid request: {}", faults.join("\n"))));
    }
    let named = Some(request.trust_domain.as_str()).filter(|name| !name.is_empty()).unwrap_or(DEFAULT_TRUST_DOMAIN);
    let domain = TrustDomain::new(named);
    let identity = domain.and_then(|domain| SpiffeId::new(domain, &request.namespace, id));
    identity.map_err(|error| Refusal::Denied(error.to_string()))
}

/// The public key of a request that its owner has signed. Nothing else of it counts.
pub(crate) fn public_key(mut pem: &[u8]) -> Result<SubjectPublicKeyInfo, Refusal> {
    let der = match from_buf(&mut pem) {
        // Old sidecars use the label of a certificate.
        Ok(Some((SectionKind::Csr | SectionKind::Certificate, der))) => der,
        _ => return Err(Refusal::NoRequest),
    };
    let unreadable = |error: String| Refusal::UnreadableRequest(error);
    let (_, request) = X509CertificationRequest::from_der(&der).map_err(|error| unreadable(error.to_string()))?;
    request.verify_signature().map_err(|_| Refusal::Signature)?;
    let key = request.certification_request_info.subject_pki.raw;
    SubjectPublicKeyInfo::from_der(key).map_err(|error| unreadable(error.to_string()))
}
