//! Brokers that do not let everybody in, and those that encrypt.
use axum::Router;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use component_api::pubsub::{Broker, Verdict};
use component_api::{Kind, Metadata as Pairs, Properties};
use component_kafka::pubsub::KafkaBroker;
use conformance::certificates::Certificates;
use conformance::patience::within;
use conformance::pubsub::client::{inbox, next, publish, subscribe};
use conformance::server::{KafkaSettings, Server, free_port};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;

/// What nobody may see.
const SECRET: &str = "very-secret";

#[tokio::test]
#[ignore = "needs kafka: run ./test components"]
async fn passwords_and_tokens() {
    let (plain, tls) = (free_port(), free_port());
    let certificates = Certificates::new(None);
    let authority = certificates.text("authority.pem");
    let _server = Server::kafka_with(|_| KafkaSettings {
        listeners: vec![("SASL", plain, "SASL_PLAINTEXT"), ("SASLTLS", tls, "SASL_SSL")],
        properties: [sasl("sasl"), sasl("sasltls"), encrypted("sasltls", &certificates, false)].concat(),
        users: ["SCRAM-SHA-256", "SCRAM-SHA-512"].map(|kind| format!("{kind}=[name=me,password={SECRET}]")).to_vec(),
        ..KafkaSettings::default()
    })
    .await;
    for (port, tls) in [(plain, &[("disableTls", "true")][..]), (tls, &[("caCert", authority.as_str())])] {
        for mechanism in ["SHA-256", "SHA-512", "PLAIN"] {
            works(port, &[&password(mechanism, SECRET), tls].concat()).await;
            refused(port, &[&password(mechanism, "very-secret-too"), tls].concat()).await;
        }
        let issuer = issuer().await;
        works(port, &[&oidc(&issuer), tls].concat()).await;
    }
}

#[tokio::test]
#[ignore = "needs kafka: run ./test components"]
async fn certificates() {
    let (one_way, both_ways) = (free_port(), free_port());
    let certificates = Certificates::new(None);
    let _server = Server::kafka_with(|_| KafkaSettings {
        listeners: vec![("TLS", one_way, "SSL"), ("MTLS", both_ways, "SSL")],
        properties: [encrypted("tls", &certificates, false), encrypted("mtls", &certificates, true)].concat(),
        ..KafkaSettings::default()
    })
    .await;
    let [authority, stranger] = ["authority.pem", "stranger.pem"].map(|name| certificates.text(name));
    let trust = ("caCert", authority.as_str());
    works(one_way, &[("authType", "certificate"), trust]).await;
    refused(one_way, &[("authType", "certificate"), ("caCert", &stranger)]).await;
    works(one_way, &[("authType", "certificate"), ("caCert", &stranger), ("skipVerify", "true")]).await;
    let identity = |certificates: &Certificates| ["client.pem", "client.key"].map(|name| certificates.text(name));
    let [certificate, key] = identity(&certificates);
    works(both_ways, &[("authType", "mtls"), trust, ("clientCert", &certificate), ("clientKey", &key)]).await;
    let [certificate, key] = identity(&Certificates::new(None));
    refused(both_ways, &[("authType", "mtls"), trust, ("clientCert", &certificate), ("clientKey", &key)]).await;
}

fn password<'a>(mechanism: &'a str, password: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("authType", "password"), ("saslUsername", "me"), ("saslPassword", password), ("saslMechanism", mechanism)]
}

fn oidc(issuer: &str) -> Vec<(&str, &str)> {
    vec![
        ("authType", "oidc"),
        ("oidcTokenEndpoint", issuer),
        ("oidcClientID", "me"),
        ("oidcClientSecret", SECRET),
        ("oidcScopes", "kafka"),
    ]
}

/// What is published is delivered.
async fn works(port: u16, more: &[(&str, &str)]) {
    let broker = open(port, more);
    let topic = format!("secured-{port}");
    let (mut inbox, subscription) = subscribe(&broker, &topic, &[]).await;
    publish(&broker, &topic, "1", &[]).await;
    assert_eq!(next(&mut inbox).await.data, "1", "{more:?}");
    within(subscription.close()).await;
    within(broker.close()).await.unwrap();
}

/// Who is not let in is told so, and a subscription does not try for ever.
async fn refused(port: u16, more: &[(&str, &str)]) {
    let broker = open(port, more);
    let error = within(broker.ping()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied, "{error}");
    let (app, _inbox) = inbox(|_| Verdict::Ack);
    let subscribed = within(broker.subscribe("refused", Pairs::new(), app)).await;
    let subscribed = subscribed.map(drop).unwrap_err();
    assert_eq!(subscribed.kind(), Kind::Denied, "{subscribed}");
    assert!(!format!("{error} {error:?} {broker:?} {subscribed:?}").contains(SECRET));
}

fn open(port: u16, more: &[(&str, &str)]) -> KafkaBroker {
    let brokers = format!("127.0.0.1:{port}");
    let own = [("brokers", brokers.as_str()), ("initialOffset", "newest"), ("consumerGroup", brokers.as_str())];
    KafkaBroker::read(&Properties::from_iter(own.into_iter().chain(more.iter().copied())), "app").unwrap()
}

/// Properties of a listener that takes passwords, and tokens that nobody has signed.
fn sasl(listener: &str) -> Vec<(String, String)> {
    let modules = [
        ("scram-sha-256", "scram.ScramLoginModule required;".to_owned()),
        ("scram-sha-512", "scram.ScramLoginModule required;".to_owned()),
        ("plain", format!("plain.PlainLoginModule required user_me=\"{SECRET}\";")),
        (
            "oauthbearer",
            "oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\";".to_owned(),
        ),
    ];
    let mechanisms = modules.iter().map(|(name, _)| name.to_uppercase()).collect::<Vec<_>>().join(",");
    let module = |(name, module): (&str, String)| {
        let name = format!("listener.name.{listener}.{name}.sasl.jaas.config");
        (name, format!("org.apache.kafka.common.security.{module}"))
    };
    let enabled = (format!("listener.name.{listener}.sasl.enabled.mechanisms"), mechanisms);
    modules.into_iter().map(module).chain([enabled]).collect()
}

/// An issuer of tokens that nobody has signed, which a broker without more settings takes.
async fn issuer() -> String {
    let token = || async {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (now, until) = (now.as_secs(), (now + Duration::from_secs(600)).as_secs());
        let claims = format!(r#"{{"sub":"me","iat":{now},"exp":{until}}}"#);
        let [header, claims] = [r#"{"alg":"none"}"#, &claims].map(|part| URL_SAFE_NO_PAD.encode(part));
        format!(r#"{{"access_token":"{header}.{claims}.","expires_in":600}}"#)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    #[allow(clippy::disallowed_methods)] // It ends with the runtime of its test.
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/token", post(token))).await.unwrap() });
    url
}

/// Properties of a listener with a certificate, who may want one of its clients.
fn encrypted(listener: &str, certificates: &Certificates, wants_one: bool) -> Vec<(String, String)> {
    let both = certificates.text("server.key") + &certificates.text("server.pem");
    let pairs = [
        ("keystore.type", "PEM".to_owned()),
        ("keystore.location", certificates.add("server-both.pem", &both)),
        ("truststore.type", "PEM".to_owned()),
        ("truststore.location", certificates.path("authority.pem")),
        ("client.auth", if wants_one { "required" } else { "none" }.to_owned()),
    ];
    pairs.map(|(name, value)| (format!("listener.name.{listener}.ssl.{name}"), value)).to_vec()
}
