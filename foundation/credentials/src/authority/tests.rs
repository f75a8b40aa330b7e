//! What the authority signs, and which credentials it takes.
use super::*;
use crate::Files;
use foundation_identity::id_of;
use rcgen::{PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SignatureAlgorithm};

const LIFETIMES: Lifetimes =
    Lifetimes { workload: Duration::from_secs(3600), skew: Duration::from_secs(60), root: Duration::from_secs(86_400) };

fn sentry() -> SpiffeId {
    "spiffe://localhost/ns/default/dapr-sentry".parse().unwrap()
}

fn app() -> SpiffeId {
    "spiffe://public/ns/default/app".parse().unwrap()
}

fn key(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}

#[test]
fn what_it_signs_is_trusted_by_its_roots_alone() {
    let credentials = Credentials::generate(&sentry(), LIFETIMES, SystemTime::now()).unwrap();
    let authority = Authority::new(&credentials, LIFETIMES).unwrap();
    assert_eq!(authority.own(&sentry()).unwrap().id(), &sentry());
    for algorithm in [&PKCS_ED25519, &PKCS_ECDSA_P384_SHA384] {
        let signed = authority.sign(&key(algorithm), &app(), &["host.svc".to_owned()]).unwrap();
        let (leaf, rest) = signed.chain.split_first().unwrap();
        assert_eq!(id_of(leaf).unwrap(), app());
        assert_eq!(authority.trust().unwrap().client(leaf, rest).unwrap(), app());
        let other = Credentials::generate(&sentry(), LIFETIMES, SystemTime::now()).unwrap();
        assert!(Trust::from_pem(other.ca.as_bytes()).unwrap().client(leaf, rest).is_err());
    }
}

#[test]
fn credentials_that_do_not_fit_together_are_refused() {
    let (one, other) = (
        Credentials::generate(&sentry(), LIFETIMES, SystemTime::now()),
        Credentials::generate(&sentry(), LIFETIMES, SystemTime::now()),
    );
    let (one, other) = (one.unwrap(), other.unwrap());
    let owns = |credentials: &Credentials| {
        Authority::new(credentials, LIFETIMES).and_then(|authority| authority.own(&sentry())).is_ok()
    };
    assert!(owns(&one));
    assert!(!owns(&Credentials { ca: other.ca.clone(), ..one.clone() }));
    assert!(!owns(&Credentials { issuer_key: other.issuer_key.clone(), ..one.clone() }));
    assert!(!owns(&Credentials { issuer_certificate: String::new(), ..one.clone() }));
    assert!(owns(&Credentials { ca: format!("{}{}", other.ca, one.ca), ..one }));
}

#[test]
fn a_certificate_lives_at_least_as_long_as_it_shall_and_never_longer_than_its_issuer() {
    let credentials = Credentials::generate(&sentry(), LIFETIMES, SystemTime::now()).unwrap();
    let sign = |workload| {
        let authority = Authority::new(&credentials, Lifetimes { workload, ..LIFETIMES }).unwrap();
        (authority.sign(&key(&PKCS_ED25519), &app(), &[]).unwrap().expires, authority.expires())
    };
    let before = SystemTime::now();
    assert!(sign(Duration::from_millis(10)).0 >= before + Duration::from_millis(10));
    let (leaf, issuer) = sign(Duration::from_secs(10 * 365 * 24 * 3600));
    assert_eq!(leaf, issuer);
}

#[test]
fn credentials_are_made_only_where_there_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::of_folder(folder.path());
    assert!(files.read().unwrap().is_none());
    files.write(&Credentials::generate(&sentry(), LIFETIMES, SystemTime::now()).unwrap()).unwrap();
    assert!(files.read().unwrap().is_some());
    for path in [&files.issuer_key, &files.issuer_certificate, &files.ca] {
        std::fs::remove_file(path).unwrap();
        let refused = files.read().map(|found| found.is_some());
        match refused {
            Err(Error::Incomplete(missing)) => assert_eq!(missing, path.display().to_string()),
            other => assert!(path == &files.ca && matches!(other, Ok(false)), "{other:?}"),
        }
    }
}

#[test]
fn an_issuer_whose_key_may_not_sign_certificates_is_refused() {
    let (root, issuer) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut params = CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = params.self_signed(&root).unwrap().pem();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let signed = params.signed_by(&issuer, &Issuer::from_params(&CertificateParams::default(), &root)).unwrap();
    let other = Credentials { ca, issuer_certificate: signed.pem(), issuer_key: issuer.serialize_pem() };
    assert!(matches!(Authority::new(&other, LIFETIMES), Err(Error::NoAuthority)));
}
