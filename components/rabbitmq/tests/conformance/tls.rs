//! A server over TLS that wants certificates of its clients, and takes them for passwords.
use component_api::pubsub::Broker;
use component_api::{Kind, Properties, Result};
use component_rabbitmq::pubsub::{Metadata, RabbitBroker};
use conformance::certificates::Certificates;
use conformance::server::Server;

#[tokio::test]
#[ignore = "needs rabbitmq: run ./test components"]
async fn certificates_of_both_sides() {
    let certificates = Certificates::new(Some("rabbitmq"));
    let server = Server::rabbitmq_with_tls(&certificates).await;
    let text = |name: &str| certificates.text(name);
    let (authority, client, key) = (text("authority.pem"), text("client.pem"), text("client.key"));
    let identity = [("caCert", authority.as_str()), ("clientCert", &client), ("clientKey", &key)];
    let by_password = format!("amqps://trilby:secret@localhost:{}", server.address().port());
    ping(&by_password, &identity).await.unwrap();
    let by_certificate = format!("amqps://localhost:{}", server.address().port());
    ping(&by_certificate, &[&identity[..], &[("saslExternal", "true")]].concat()).await.unwrap();
    let wrong = format!("amqps://trilby:very-secret@localhost:{}", server.address().port());
    let error = ping(&wrong, &identity).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied, "{error}");
    assert!(!error.to_string().contains("very-secret"));
    let stranger = text("stranger.pem");
    let strange = [("caCert", stranger.as_str()), ("clientCert", &client), ("clientKey", &key)];
    for pairs in [&strange[..], &identity[..1]] {
        assert!(ping(&by_password, pairs).await.is_err(), "a certificate is missing");
    }
}

async fn ping(place: &str, more: &[(&str, &str)]) -> Result<()> {
    let pairs = [("connectionString", place)].into_iter().chain(more.iter().copied());
    RabbitBroker::new(Metadata::read(&pairs.collect::<Properties>(), "app")?)?.ping().await
}
