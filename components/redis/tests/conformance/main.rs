//! The common suite over the components of this crate, each test with a server of its own.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
mod documents;
mod topologies;

use component_api::binding::{Binding, Request};
use component_api::configuration::Item;
use component_api::pubsub::Broker;
use component_api::state::{Concurrency, SetRequest, Store};
use component_api::{Error, Kind, Metadata as Pairs, Properties};
use component_redis::binding::RedisBinding;
use component_redis::configuration::RedisConfiguration;
use component_redis::lock::RedisLocks;
use component_redis::metadata::ConnectionMetadata;
use component_redis::pubsub::{self, RedisStreams};
use component_redis::state::{self, RedisStore};
use conformance::proxy::Proxy;
use conformance::pubsub::client::ready;
use conformance::server::{Server, free_port};
use conformance::state::{get, json, set};
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
#[ignore = "needs redis-server: run ./test components"]
async fn store() {
    let server = Server::redis().await;
    conformance::state::run(&RedisStore::new(state_metadata(&server)).unwrap()).await;
}

#[tokio::test]
#[ignore = "needs redis-server: run ./test components"]
async fn broker() {
    let address = Server::redis().await;
    let at = address.address();
    let open = move |app: &str| ready(streams(at, app));
    let subject = conformance::pubsub::Subject {
        open: Box::new(open),
        ordered: false,
        shared: true,
        redelivers: true,
        keeps: true,
        carries_metadata: true,
        pattern: ("", ""),
    };
    conformance::pubsub::run(&subject).await;
}

#[tokio::test]
#[ignore = "needs redis-server: run ./test components"]
async fn crash_points() {
    let open = |at: SocketAddr, app: &str| ready(streams(at, app));
    let subject = conformance::pubsub::crash::Subject {
        open: Box::new(open),
        server: Server::redis().await,
        keeps: true,
        shared: true,
    };
    conformance::pubsub::crash::run(&subject).await;
}

#[tokio::test]
#[ignore = "needs redis-server: run ./test components"]
async fn locks() {
    let server = Server::redis().await;
    let open = || RedisLocks::new(&connection(server.address())).unwrap();
    conformance::lock::run(&[&open(), &open()]).await;
}

/// Another client writes, as another program would.
#[tokio::test]
#[ignore = "needs redis-server: run ./test components"]
async fn items() {
    let server = Server::redis().await;
    let store = Arc::new(RedisConfiguration::new(&connection(server.address())).unwrap());
    let writer = client(server.address()).await;
    let update = move |key: String, item: Option<Item>| {
        let mut writer = writer.clone();
        Box::pin(async move {
            match item {
                Some(item) => writer.set(key, format!("{}||{}", item.value, item.version)).await.unwrap(),
                None => writer.del(key).await.unwrap(),
            }
        }) as _
    };
    let subject = conformance::configuration::Subject {
        store,
        update: Box::new(update),
        versions: true,
        deletions_tell_the_item: false,
    };
    conformance::configuration::run(&subject).await;
}

#[tokio::test]
#[ignore = "needs redis-server: run ./test components"]
async fn output() {
    let server = Server::redis().await;
    let binding = RedisBinding::new(&connection(server.address())).unwrap();
    let thing = Pairs::from([("key".to_owned(), "thing".to_owned())]);
    conformance::binding::run(&conformance::binding::Subject { binding: &binding, thing: thing.clone() }).await;
    for expected in ["1", "2"] {
        perform(&binding, "increment", &thing).await;
        assert_eq!(perform(&binding, "get", &thing).await.as_deref(), Some(expected));
    }
    let taking = thing.clone().into_iter().chain([("delete".to_owned(), "true".to_owned())]).collect();
    assert_eq!(perform(&binding, "get", &taking).await.as_deref(), Some("2"));
    assert_eq!(perform(&binding, "get", &thing).await.as_deref(), Some(""), "it was taken");
    let error = binding.invoke(Request { operation: "get".to_owned(), ..Request::default() }).await.unwrap_err();
    assert!(error.to_string().contains("missing key in request metadata"));
}

/// A store does not need its server when it is made, finds it later, and again after it was away.
#[tokio::test]
#[ignore = "needs redis-server: run ./test components"]
async fn lost_and_found() {
    let server = Server::redis().await;
    let store = RedisStore::new(state_metadata(&server)).unwrap();
    server.kill().await;
    let error: Error = store.get(get("key")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains("redisHost"), "the error says what to check: {error}");
    for _ in 0..3 {
        server.start().await;
        assert_eq!(store.get(get("key")).await.unwrap(), None);
        server.kill().await;
        assert_eq!(store.get(get("key")).await.unwrap_err().kind(), Kind::Unavailable);
    }
}

/// A write that asks for an ETag is not repeated when the answer to it was lost: it may have been done.
#[tokio::test]
#[ignore = "needs redis-server: run ./test components"]
async fn a_guarded_write_is_not_repeated() {
    let server = Server::redis().await;
    let proxy = Proxy::start(server.address()).await;
    let (direct, victim) = (store_at(server.address()), store_at(proxy.address()));
    direct.set(first_write("key")).await.unwrap();
    // The server knows the script now, and its list of clients tells their last commands.
    direct.ping().await.unwrap();
    victim.ping().await.unwrap();
    let mut other = client(server.address()).await;
    let _: () = redis::cmd("CLIENT").arg("PAUSE").arg(60_000).arg("WRITE").query_async(&mut other).await.unwrap();
    let lose_the_answer = async {
        let arrived = |clients: String| clients.contains("cmd=evalsha");
        while !arrived(redis::cmd("CLIENT").arg("LIST").query_async(&mut other).await.unwrap()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        proxy.cut();
        tokio::time::sleep(Duration::from_millis(30)).await;
        proxy.heal();
    };
    let (written, ()) = tokio::join!(victim.set(first_write("another")), lose_the_answer);
    let error = written.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
}

fn store_at(at: SocketAddr) -> RedisStore {
    RedisStore::new(state::Metadata { connection: connection(at), ..state::Metadata::default() }).unwrap()
}

fn first_write(key: &str) -> SetRequest {
    SetRequest { concurrency: Concurrency::FirstWrite, ..set(key, json("1")) }
}

/// Neither errors nor debug output tell a password.
#[tokio::test]
#[ignore = "needs redis-server: run ./test components"]
async fn secrets() {
    let server = Server::redis().await;
    let mut admin = client(server.address()).await;
    let acl = ["SETUSER", "trilby", "on", ">right-password", "~*", "+@all"];
    redis::cmd("ACL").arg(&acl).exec_async(&mut admin).await.unwrap();
    let metadata = |password: &str| {
        let host = server.address().to_string();
        let pairs = [("redisHost", host.as_str()), ("redisUsername", "trilby"), ("redisPassword", password)];
        read(&pairs)
    };
    assert_eq!(RedisStore::new(metadata("right-password")).unwrap().get(get("key")).await.unwrap(), None);
    let store = RedisStore::new(metadata("wrong-password")).unwrap();
    let error = store.get(get("key")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    assert!(!format!("{error} {error:?} {store:?}").contains("wrong-password"), "{error:?}");
}

#[test]
fn a_host_is_needed() {
    let error = ConnectionMetadata::read(&Properties::default()).unwrap_err();
    assert!(error.to_string().contains("redisHost"));
    let free = format!("127.0.0.1:{}", free_port());
    assert!(ConnectionMetadata::read(&Properties::from_iter([("redishost", free)])).is_ok());
}

/// Another client of the server.
async fn client(at: SocketAddr) -> MultiplexedConnection {
    let patient = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(30)));
    let client = redis::Client::open(format!("redis://{at}")).unwrap();
    client.get_multiplexed_async_connection_with_config(&patient).await.unwrap()
}

async fn perform(binding: &RedisBinding, operation: &str, metadata: &Pairs) -> Option<String> {
    let request = Request { operation: operation.to_owned(), metadata: metadata.clone(), ..Request::default() };
    let data = binding.invoke(request).await.unwrap().data?;
    Some(String::from_utf8_lossy(&data).into_owned())
}

fn streams(at: SocketAddr, app: &str) -> Arc<dyn Broker> {
    let pairs = [
        ("redisHost", at.to_string()),
        ("redeliverInterval", "50".to_owned()),
        ("processingTimeout", "300".to_owned()),
        ("dialTimeout", "500".to_owned()),
    ];
    let metadata = pubsub::Metadata::read(&Properties::from_iter(pairs), app).unwrap();
    Arc::new(RedisStreams::new(metadata).unwrap())
}

fn read(pairs: &[(&str, &str)]) -> state::Metadata {
    state::Metadata::read(&Properties::from_iter(pairs.iter().copied())).unwrap()
}

fn state_metadata(server: &Server) -> state::Metadata {
    state::Metadata { connection: connection(server.address()), ..state::Metadata::default() }
}

fn connection(at: SocketAddr) -> ConnectionMetadata {
    ConnectionMetadata { redis_host: at.to_string(), ..ConnectionMetadata::default() }
}
