//! Clusters, sentinels and TLS: the same operations over other kinds of connections.
use crate::read;
use component_api::state::{Operation, Store};
use component_api::{Metadata, Properties};
use component_redis::pubsub::{self, RedisStreams};
use component_redis::state::RedisStore;
use conformance::certificates::Certificates;
use conformance::patience::within;
use conformance::pubsub::client::{next, publish, subscribe};
use conformance::server::Server;
use conformance::state::{json, set};
use std::time::Duration;

#[tokio::test]
#[ignore = "needs redis-server: run ./test components"]
async fn cluster() {
    let server = Server::redis_with(|_| words("--cluster-enabled yes")).await;
    let mut admin = crate::client(server.address()).await;
    redis::cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(0).arg(16383).exec_async(&mut admin).await.unwrap();
    let is_up = async {
        while !redis::cmd("CLUSTER").arg("INFO").query_async::<String>(&mut admin).await.unwrap().contains("state:ok") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(is_up).await;
    works(&[("redisHost", &server.address().to_string()), ("redisType", "cluster")]).await;
}

#[tokio::test]
#[ignore = "needs redis-server: run ./test components"]
async fn sentinels() {
    let master = Server::redis().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sentinel.conf");
    let port = master.address().port();
    std::fs::write(&file, format!("sentinel monitor main 127.0.0.1 {port} 1\n")).unwrap();
    let file = file.to_string_lossy().into_owned();
    let sentinel = Server::redis_with(|_| vec![file, "--sentinel".to_owned()]).await;
    let host = sentinel.address().to_string();
    works(&[("redisHost", &host), ("failover", "true"), ("sentinelMasterName", "main")]).await;
}

#[tokio::test]
#[ignore = "needs redis-server: run ./test components"]
async fn tls() {
    let certificates = Certificates::new(None);
    let server = encrypted(&certificates, "no").await;
    let host = format!("localhost:{}", server.address().port());
    works(&[("redisHost", &host), ("enableTLS", "true"), ("insecureSkipTLSVerify", "true")]).await;
    let store = RedisStore::new(read(&[("redisHost", &host), ("enableTLS", "true")])).unwrap();
    let error = store.keys_like("%", None, None).await.unwrap_err();
    assert!(error.is_temporary() && error.to_string().contains("certificate"), "nobody signed it: {error}");
}

/// A server that wants certificates of its clients.
#[tokio::test]
#[ignore = "needs redis-server: run ./test components"]
async fn certificates_of_clients() {
    let certificates = Certificates::new(None);
    let server = encrypted(&certificates, "yes").await;
    let host = format!("localhost:{}", server.address().port());
    let own = [("redisHost", host.as_str()), ("enableTLS", "true"), ("insecureSkipTLSVerify", "true")];
    let identity = |certificates: &Certificates| ["client.pem", "client.key"].map(|name| certificates.text(name));
    let [certificate, key] = identity(&certificates);
    works(&[&own[..], &[("clientCert", &certificate), ("clientKey", &key)]].concat()).await;
    let [certificate, key] = identity(&Certificates::new(None));
    for pairs in [own.to_vec(), [&own[..], &[("clientCert", &certificate), ("clientKey", &key)]].concat()] {
        let store = RedisStore::new(read(&pairs)).unwrap();
        let error = store.ping().await.unwrap_err();
        assert!(error.is_temporary(), "{error}");
        assert!(!format!("{error} {error:?} {store:?}").contains(key.lines().nth(1).unwrap()));
    }
    for (certificate, key, named) in [("none", key.as_str(), "clientCert"), (certificate.as_str(), "none", "clientKey")]
    {
        let metadata = read(&[&own[..], &[("clientCert", certificate), ("clientKey", key)]].concat());
        assert!(RedisStore::new(metadata).unwrap_err().to_string().contains(named));
    }
}

async fn encrypted(certificates: &Certificates, auth_clients: &str) -> Server {
    let file = |name: &str| certificates.path(name);
    let (own, key, authority) = (file("server.pem"), file("server.key"), file("authority.pem"));
    let options = |port| {
        words(&format!(
            "--port 0 --tls-port {port} --tls-cert-file {own} --tls-key-file {key} --tls-ca-cert-file {authority}
             --tls-auth-clients {auth_clients}"
        ))
    };
    Server::redis_with(options).await
}

/// State and messages come through.
async fn works(pairs: &[(&str, &str)]) {
    let store = RedisStore::new(read(pairs)).unwrap();
    let write = |number: usize| Operation::Set(set(&format!("key-{number}"), json("1")));
    store.transact((0..10).map(write).collect(), Metadata::new()).await.unwrap();
    store.set(set("key-10", json("1"))).await.unwrap();
    assert_eq!(store.keys_like("key-%", None, None).await.unwrap().keys.len(), 11);
    let metadata = pubsub::Metadata::read(&Properties::from_iter(pairs.iter().copied()), "app").unwrap();
    let broker = RedisStreams::new(metadata).unwrap();
    let (mut inbox, subscription) = subscribe(&broker, "topic", &[]).await;
    publish(&broker, "topic", "text", &[]).await;
    assert_eq!(next(&mut inbox).await.data, "text");
    within(subscription.close()).await;
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
