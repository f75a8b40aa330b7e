//! Handshakes between those who have identities, and with those who have none or a forged one.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
use foundation_identity::{ClientAuth, Expected, Identity, Svid, Trust};
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, PKCS_ED25519, SanType,
};
use rustls_pki_types::PrivateKeyDer;
use std::io;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const CALLER: &str = "spiffe://public/ns/default/caller";
const CALLEE: &str = "spiffe://public/ns/default/callee";

/// A certificate authority.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn trust(&self) -> Trust {
        Trust::from_pem(self.pem.as_bytes()).unwrap()
    }

    fn svid(&self, id: &str) -> Svid {
        self.svid_until(id, SystemTime::now() + Duration::from_secs(60))
    }

    fn svid_until(&self, id: &str, expires: SystemTime) -> Svid {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let leaf = leaf(&[id], expires).signed_by(&key, &self.issuer).unwrap();
        Svid::new(vec![leaf.der().clone()], &PrivateKeyDer::from(key)).unwrap()
    }

    fn identity(&self, id: &str) -> Identity {
        Identity::new(self.svid(id), self.trust())
    }
}

fn leaf(uris: &[&str], expires: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = uris.iter().map(|uri| SanType::URI(Ia5String::try_from(*uri).unwrap())).collect();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = (SystemTime::now() - Duration::from_secs(3600)).into();
    params.not_after = expires.into();
    params
}

fn app(namespace: &str, app_id: &str) -> Expected {
    Expected::App { namespace: namespace.to_owned(), app_id: app_id.to_owned() }
}

/// What the server learns of the client, and whether both are content.
async fn meet(client: &Identity, server: &Identity, expected: Expected) -> io::Result<Option<String>> {
    let (near, far) = tokio::io::duplex(16 << 10);
    let acceptor = server.acceptor(ClientAuth::Required).unwrap();
    let (connected, accepted) = tokio::join!(client.connect(near, expected), acceptor.accept(far));
    connected?;
    Ok(accepted?.peer().map(|peer| peer.0.to_string()))
}

#[tokio::test]
async fn both_sides_prove_who_they_are() {
    let authority = Authority::new();
    let (caller, callee) = (authority.identity(CALLER), authority.identity(CALLEE));
    assert_eq!(meet(&caller, &callee, app("default", "callee")).await.unwrap().unwrap(), CALLER);
    let exactly = Expected::Id(CALLEE.parse().unwrap());
    assert_eq!(meet(&caller, &callee, exactly).await.unwrap().unwrap(), CALLER);
}

#[tokio::test]
async fn a_server_must_be_the_one_that_is_meant() {
    let authority = Authority::new();
    let caller = authority.identity(CALLER);
    for (id, expected) in [
        ("spiffe://public/ns/other/callee", app("default", "callee")),
        ("spiffe://public/ns/default/another", app("default", "callee")),
        ("spiffe://other/ns/default/callee", Expected::Id(CALLEE.parse().unwrap())),
    ] {
        assert!(meet(&caller, &authority.identity(id), expected).await.is_err(), "{id}");
    }
    let elsewhere = authority.identity("spiffe://other/ns/default/callee");
    assert!(meet(&caller, &elsewhere, app("default", "callee")).await.is_ok());
}

#[tokio::test]
async fn expired_and_foreign_certificates_are_refused_on_either_side() {
    let authority = Authority::new();
    let good = |id| authority.identity(id);
    let an_hour_ago = SystemTime::now() - Duration::from_secs(60);
    let expired = |id| Identity::new(authority.svid_until(id, an_hour_ago), authority.trust());
    let foreign = |id| Identity::new(Authority::new().svid(id), authority.trust());
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let own = leaf(&[CALLER], SystemTime::now() + Duration::from_secs(60)).self_signed(&key).unwrap();
    let own = Svid::new(vec![own.der().clone()], &PrivateKeyDer::from(key)).unwrap();
    let self_signed = Identity::new(own, authority.trust());
    for (what, client, server) in [
        ("expired client", expired(CALLER), good(CALLEE)),
        ("expired server", good(CALLER), expired(CALLEE)),
        ("foreign client", foreign(CALLER), good(CALLEE)),
        ("foreign server", good(CALLER), foreign(CALLEE)),
        ("self-signed client", self_signed, good(CALLEE)),
    ] {
        assert!(meet(&client, &server, app("default", "callee")).await.is_err(), "{what}");
    }
}

#[tokio::test]
async fn renewed_certificates_and_roots_count_at_once() {
    let (old, new) = (Authority::new(), Authority::new());
    let (caller, callee) = (old.identity(CALLER), old.identity(CALLEE));
    let both = Trust::from_pem(format!("{}{}", old.pem, new.pem).as_bytes()).unwrap();
    let expected = || app("default", "callee");
    caller.trust(both.clone());
    callee.trust(both);
    callee.renew(new.svid(CALLEE));
    assert!(meet(&caller, &callee, expected()).await.is_ok());
    caller.renew(new.svid(CALLER));
    assert!(meet(&caller, &callee, expected()).await.is_ok());
    callee.trust(new.trust());
    caller.renew(old.svid(CALLER));
    assert!(meet(&caller, &callee, expected()).await.is_err());
}

#[test]
fn a_certificate_has_exactly_one_identity_and_its_own_key() {
    let later = SystemTime::now() + Duration::from_secs(60);
    for uris in [&[][..], &[CALLER, CALLEE], &["https://example.org"], &["spiffe://public/ns/default"]] {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let certificate = leaf(uris, later).self_signed(&key).unwrap();
        assert!(Svid::new(vec![certificate.der().clone()], &PrivateKeyDer::from(key)).is_err(), "{uris:?}");
    }
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let certificate = leaf(&[CALLER], later).self_signed(&key).unwrap();
    assert!(Svid::new(vec![certificate.der().clone()], &PrivateKeyDer::from(other)).is_err());
    assert!(Trust::from_pem(b"").is_err());
}

#[tokio::test(start_paused = true)]
async fn those_who_never_finish_do_not_bar_the_door() {
    let authority = Authority::new();
    let (caller, callee) = (authority.identity(CALLER), authority.identity(CALLEE));
    let acceptor = callee.acceptor(ClientAuth::Required).unwrap();
    let (mut idle, mut silent) = (tokio::task::JoinSet::new(), Vec::new());
    for _ in 0..1024 {
        let (near, far) = tokio::io::duplex(1024);
        let acceptor = acceptor.clone();
        silent.push(near);
        idle.spawn(async move { acceptor.accept(far).await.map(drop) });
    }
    // Until all of them have begun.
    for _ in 0..1024 {
        tokio::task::yield_now().await;
    }
    acceptor.room().await;
    let (near, far) = tokio::io::duplex(16 << 10);
    let (connected, accepted) = tokio::join!(caller.connect(near, app("default", "callee")), acceptor.accept(far));
    assert!(connected.is_ok() && accepted.is_ok());
    let first = idle.join_next().await.unwrap().unwrap().unwrap_err();
    assert_eq!(first.to_string(), "the TLS handshake gave way to others");
}

#[tokio::test]
async fn strangers_who_say_nothing_give_way_to_others() {
    let authority = Authority::new();
    let acceptor = authority.identity(CALLEE).acceptor(ClientAuth::None).unwrap();
    let caller = authority.identity(CALLER);
    let open = async || {
        let (near, far) = tokio::io::duplex(1 << 14);
        let (near, far) = tokio::join!(caller.connect(near, app("default", "callee")), acceptor.accept(far));
        (near.unwrap(), far.unwrap())
    };
    let mut silent = Vec::new();
    for _ in 0..1024 {
        acceptor.room().await;
        silent.push(open().await);
    }
    acceptor.room().await;
    let (mut asking, mut asked) = open().await;
    let ended = silent[0].1.read_u8().await.unwrap_err();
    assert_eq!(ended.kind(), io::ErrorKind::TimedOut);
    asking.write_all(b"x").await.unwrap();
    assert_eq!(asked.read_u8().await.unwrap(), b'x');
}
