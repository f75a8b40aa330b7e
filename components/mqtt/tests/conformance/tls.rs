//! A server over TLS that wants certificates of its clients.
use component_api::pubsub::Broker;
use component_api::{Properties, Result};
use component_mqtt::pubsub::{Metadata, MqttBroker};
use conformance::certificates::Certificates;
use conformance::patience::within;
use conformance::server::Server;

#[tokio::test]
#[ignore = "needs mosquitto: run ./test components"]
async fn certificates_of_both_sides() {
    let certificates = Certificates::new(Some("mosquitto"));
    let files = [("cafile", "authority.pem"), ("certfile", "server.pem"), ("keyfile", "server.key")];
    let files = files.map(|(name, file)| format!("{name} {}", certificates.path(file)));
    let strict = ["require_certificate true".to_owned(), "use_identity_as_username true".to_owned()];
    let server = Server::mosquitto_with(files.to_vec()).await;
    let strict = Server::mosquitto_with([&files[..], &strict].concat()).await;
    let text = |name: &str| certificates.text(name);
    let (authority, stranger) = (text("authority.pem"), text("stranger.pem"));
    let (client, key) = (text("client.pem"), text("client.key"));
    let identity = [("caCert", authority.as_str()), ("clientCert", &client), ("clientKey", &key)];
    ping(&server, &identity[..1]).await.unwrap();
    ping(&strict, &identity).await.unwrap();
    for (server, pairs) in [(&server, &[("caCert", stranger.as_str())][..]), (&server, &[]), (&strict, &identity[..1])]
    {
        assert!(ping(server, pairs).await.is_err(), "a certificate is missing");
    }
}

async fn ping(server: &Server, more: &[(&str, &str)]) -> Result<()> {
    let place = format!("mqtts://localhost:{}", server.address().port());
    let pairs = [("url", place.as_str())].into_iter().chain(more.iter().copied());
    let broker = MqttBroker::new(&Metadata::read(&pairs.collect::<Properties>(), "app")?)?;
    within(broker.ping()).await
}
