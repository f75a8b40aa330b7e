//! Servers that do not let everybody in.
use super::open;
use component_api::Kind;
use component_api::pubsub::Broker;
use component_api::state::Store;
use component_api::{Properties, Result};
use component_nats::pubsub::{JetStreamBroker, Metadata};
use component_nats::state::{self, JetStreamStore};
use conformance::certificates::Certificates;
use conformance::server::Server;
use nkeys::KeyPair;
use std::net::SocketAddr;

/// What nobody may see.
const SECRET: &str = "very-secret";

#[tokio::test]
#[ignore = "needs nats: run ./test components"]
async fn tokens() {
    let server = Server::nats_with(|_| vec!["--auth".to_owned(), SECRET.to_owned()]).await;
    open(server.address(), &[("token", SECRET)]).ping().await.unwrap();
    let in_url = broker(format!("nats://{SECRET}@{}", server.address()), &[]).unwrap();
    in_url.ping().await.unwrap();
    refused(&broker(format!("nats://me:very-secret-too@{}", server.address()), &[]).unwrap()).await;
}

#[tokio::test]
#[ignore = "needs nats: run ./test components"]
async fn passwords() {
    let user = ["--user", "me", "--pass", "p/w"].map(str::to_owned);
    let server = Server::nats_with(|_| user.to_vec()).await;
    broker(format!("nats://me:p%2Fw@{}", server.address()), &[]).unwrap().ping().await.unwrap();
    refused(&open(server.address(), &[("token", SECRET)])).await;
}

/// A user whom an account vouches for, whom an operator vouches for.
#[tokio::test]
#[ignore = "needs nats: run ./test components"]
async fn signed_tokens() {
    let (operator, account, user) = (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_user());
    let server = Server::nats_with(|folder| {
        let file = folder.join("configuration");
        std::fs::write(&file, configuration(&operator, &account)).unwrap();
        vec!["-c".to_owned(), file.to_string_lossy().into_owned()]
    })
    .await;
    let limits = r#"{"type":"user","version":2,"pub":{},"sub":{},"subs":-1,"data":-1,"payload":-1}"#;
    let (jwt, seed) = (token(&account, &user, limits), user.seed().unwrap());
    open(server.address(), &[("jwt", &jwt), ("seedKey", &seed)]).ping().await.unwrap();
    let error = store(server.address(), &jwt, &seed).ping().await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound, "it is let in, and there is no bucket: {error}");
    let stranger = KeyPair::new_user().seed().unwrap();
    let broker = open(server.address(), &[("jwt", &jwt), ("seedKey", &stranger)]);
    let error = broker.ping().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied, "{error}");
    let told = format!("{error} {error:?} {broker:?}");
    assert!(!told.contains(&stranger) && !told.contains(&jwt));
}

/// JetStream needs an account for the server itself, too.
fn configuration(operator: &KeyPair, account: &KeyPair) -> String {
    let limits = r#"{"subs":-1,"data":-1,"payload":-1,"imports":-1,"exports":-1,"wildcards":true,"conn":-1,"leaf":-1,"mem_storage":-1,"disk_storage":-1,"streams":-1,"consumer":-1}"#;
    let without =
        r#"{"subs":-1,"data":-1,"payload":-1,"imports":-1,"exports":-1,"wildcards":true,"conn":-1,"leaf":-1}"#;
    let system = KeyPair::new_account();
    let known = |account: &KeyPair, limits: &str| {
        let nats = format!(r#"{{"type":"account","version":2,"limits":{limits}}}"#);
        format!("{}: {}", account.public_key(), token(operator, account, &nats))
    };
    let of_operator = token(operator, operator, r#"{"type":"operator","version":2}"#);
    let accounts = format!("{}\n{}", known(account, limits), known(&system, without));
    let name = system.public_key();
    format!("operator: {of_operator}\nsystem_account: {name}\nresolver: MEMORY\nresolver_preload: {{\n{accounts}\n}}\n")
}

/// A token in the form of JWT, version 2 of NATS.
fn token(issuer: &KeyPair, subject: &KeyPair, nats: &str) -> String {
    let claims = format!(
        r#"{{"jti":"{}","iat":1700000000,"iss":"{}","name":"trilby","sub":"{}","nats":{nats}}}"#,
        issuer.public_key(),
        issuer.public_key(),
        subject.public_key()
    );
    let signed = format!("{}.{}", encoded(br#"{"typ":"JWT","alg":"ed25519-nkey"}"#), encoded(claims.as_bytes()));
    let signature = issuer.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", encoded(&signature))
}

fn encoded(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

async fn refused(broker: &JetStreamBroker) {
    let error = broker.ping().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied, "{error}");
    assert!(!format!("{error} {error:?} {broker:?}").contains(SECRET));
}

fn broker(url: String, more: &[(&str, &str)]) -> Result<JetStreamBroker> {
    let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
    JetStreamBroker::new(Metadata::read(&Properties::from_iter(more.chain([("natsURL", url)])))?)
}

fn store(at: SocketAddr, jwt: &str, seed: &str) -> JetStreamStore {
    let own = [("bucket", "values".to_owned()), ("natsURL", format!("nats://{at}"))];
    let who = [("jwt", jwt.to_owned()), ("seedKey", seed.to_owned())];
    let read = state::Metadata::read(&Properties::from_iter(own.into_iter().chain(who)));
    JetStreamStore::new(&read.unwrap()).unwrap()
}

/// What tells the second process that it is the one.
const INSIDE: &str = "TRILBY_TEST_NATS_TLS";

/// A server that wants certificates of its clients. Its own is checked against those that the system trusts, which only the
/// environment of a process can change.
#[tokio::test]
#[ignore = "needs nats: run ./test components"]
async fn certificates() {
    let certificates = Certificates::new(None);
    let server = Server::nats_with(|_| {
        let files = [("--tlscert", "server.pem"), ("--tlskey", "server.key"), ("--tlscacert", "authority.pem")];
        let files = files.iter().flat_map(|(name, file)| [(*name).to_owned(), certificates.path(file)]);
        ["--tls".to_owned(), "--tlsverify".to_owned()].into_iter().chain(files).collect()
    })
    .await;
    let [client, key] = ["client.pem", "client.key"].map(|name| certificates.path(name));
    let place = format!("tls://localhost:{}", server.address().port());
    let told = [place.as_str(), &client, &key].join(" ");
    for (trusted, expected) in [("authority.pem", true), ("stranger.pem", false)] {
        let mut inside = tokio::process::Command::new(std::env::current_exe().unwrap());
        inside.args(["--ignored", "--exact", "credentials::shows_its_certificate"]);
        inside.env(INSIDE, &told).env("SSL_CERT_FILE", certificates.path(trusted)).env_remove("SSL_CERT_DIR");
        let ended = inside.output().await.unwrap();
        assert_eq!(ended.status.success(), expected, "{}", String::from_utf8_lossy(&ended.stdout));
    }
}

/// The second process of the test above; without it there is nothing to do.
#[tokio::test]
#[ignore = "needs nats: run ./test components"]
async fn shows_its_certificate() {
    #[allow(clippy::disallowed_methods)] // Tests have no options.
    let Ok(told) = std::env::var(INSIDE) else { return };
    let [place, certificate, key] = told.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let identity = [("tls_client_cert", certificate), ("tls_client_key", key)];
    broker(place.to_owned(), &identity).unwrap().ping().await.unwrap();
    let [chain, secret] = [certificate, key].map(|path| std::fs::read_to_string(path).unwrap());
    let identity = [("tls_client_cert", chain.as_str()), ("tls_client_key", &secret)];
    broker(place.to_owned(), &identity).unwrap().ping().await.unwrap();
    assert!(broker(place.to_owned(), &[]).unwrap().ping().await.is_err(), "a certificate is missing");
}
