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
/// Audiences of the tokens of one request: each of them costs a signature.
const MOST_AUDIENCES: usize = 64;

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

/// Whom the tokens are for, each named once: the trust domain, and those that are asked for.
pub(crate) fn audiences(id: &SpiffeId, asked: &[String]) -> Result<Vec<String>, Refusal> {
    let mut all = vec![id.trust_domain().as_str().to_owned()];
    for audience in asked {
        if all.contains(audience) {
            continue;
        }
        if all.len() > MOST_AUDIENCES {
            return Err(Refusal::Denied(format!("invalid request: more than {MOST_AUDIENCES} audiences")));
        }
        all.push(audience.clone());
    }
    Ok(all)
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

#[cfg(test)]
mod tests {
    use super::*;
    use foundation_credentials::pem;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};

    fn csr() -> Vec<u8> {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap().into_bytes()
    }

    fn request(id: &str, namespace: &str) -> SignCertificateRequest {
        SignCertificateRequest {
            id: id.to_owned(),
            namespace: namespace.to_owned(),
            certificate_signing_request: csr().into(),
            ..Default::default()
        }
    }

    #[test]
    fn apps_are_in_the_public_trust_domain_unless_they_say_otherwise() {
        assert_eq!(identity(&request("app", "ns")).unwrap().to_string(), "spiffe://public/ns/ns/app");
        let other = SignCertificateRequest { trust_domain: "other".to_owned(), ..request("app", "ns") };
        assert_eq!(identity(&other).unwrap().to_string(), "spiffe://other/ns/ns/app");
    }

    #[test]
    fn names_that_are_no_identity_are_refused() {
        let long = "a".repeat(65);
        for (id, namespace, word) in [
            ("", "ns", "app-id cannot be empty"),
            ("a.b", "ns", "dots"),
            (long.as_str(), "ns", "app ID must be 64 characters or less"),
            ("a", "", "namespace is required"),
            ("a/../dapr-sentry", "ns", ""),
            ("a", "../ns", ""),
        ] {
            let refused = identity(&request(id, namespace)).unwrap_err().to_string();
            assert!(refused.contains(word), "{id} {namespace}: {refused}");
        }
    }

    #[test]
    fn audiences_are_few_and_named_once() {
        let id = identity(&request("app", "ns")).unwrap();
        let asked = |count: usize| (0..count).map(|number| number.to_string()).collect::<Vec<_>>();
        let twice = ["a", "public", "a"].map(str::to_owned);
        assert_eq!(audiences(&id, &twice).unwrap(), ["public", "a"]);
        assert_eq!(audiences(&id, &asked(MOST_AUDIENCES)).unwrap().len(), MOST_AUDIENCES + 1);
        assert!(matches!(audiences(&id, &asked(MOST_AUDIENCES + 1)), Err(Refusal::Denied(_))));
        assert_eq!(audiences(&id, &vec!["a".to_owned(); 30_000]).unwrap().len(), 2);
    }

    #[test]
    fn only_a_request_that_the_owner_of_the_key_has_signed_is_taken() {
        for algorithm in [&PKCS_ED25519, &PKCS_ECDSA_P256_SHA256] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let request = CertificateParams::default().serialize_request(&key).unwrap();
            assert!(public_key(request.pem().unwrap().as_bytes()).is_ok());
            let mut forged = request.der().to_vec();
            *forged.last_mut().unwrap() ^= 1;
            let forged = pem("CERTIFICATE REQUEST", &forged);
            assert_eq!(public_key(forged.as_bytes()).unwrap_err(), Refusal::Signature);
        }
        assert_eq!(public_key(b"").unwrap_err(), Refusal::NoRequest);
        let key = pem("PRIVATE KEY", b"x");
        assert_eq!(public_key(key.as_bytes()).unwrap_err(), Refusal::NoRequest);
        let junk = pem("CERTIFICATE REQUEST", &[0x30; 4096]);
        assert!(matches!(public_key(junk.as_bytes()), Err(Refusal::UnreadableRequest(_))));
    }

    proptest! {
        #[test]
        fn any_request_is_answered(id in "\\PC{0,12}", namespace in "[a-z./]{0,8}", trust_domain in "\\PC{0,8}", csr in prop::collection::vec(any::<u8>(), 0..200)) {
            let request = SignCertificateRequest { id, namespace, trust_domain, certificate_signing_request: csr.clone().into(), ..Default::default() };
            if let Ok(identity) = identity(&request) {
                let path = format!("/ns/{}/{}", request.namespace, request.id);
                prop_assert!(identity.to_string().ends_with(&path));
            }
            prop_assert!(public_key(&csr).is_err());
            prop_assert!(public_key(pem("CERTIFICATE REQUEST", &csr).as_bytes()).is_err());
        }
    }
}
