//! Servers that do not let everybody in, or speak in secret.
use super::open_at;
use component_api::Kind;
use component_api::state::Store;
use conformance::certificates::Certificates;
use conformance::server::Server;
use mongodb::Client;
use mongodb::bson::doc;
use std::net::SocketAddr;
use tempfile::TempDir;

/// What nobody may see.
const SECRET: &str = "very-secret";

#[tokio::test]
#[ignore = "needs mongodb: run ./test components"]
async fn passwords() {
    let data = tempfile::tempdir().unwrap();
    let place = |data: &TempDir| vec!["--storage-path".to_owned(), data.path().to_string_lossy().into_owned()];
    add_user(Server::mongodb_with(|_| place(&data)).await).await;
    let server = Server::mongodb_with(|_| [place(&data), vec!["--auth".to_owned()]].concat()).await;
    let at = server.address();
    let host = at.to_string();
    let by_fields = |name: &str, password: &str| {
        let pairs =
            [("host", host.as_str()), ("username", name), ("password", password), ("params", "?authSource=admin")];
        open_at(String::new(), &pairs)
    };
    by_fields("me", "p@ss/word").ping().await.unwrap();
    open_at(format!("mongodb://me:p%40ss%2Fword@{at}/?authSource=admin"), &[]).ping().await.unwrap();
    for store in [by_fields("me", SECRET), open_at(format!("mongodb://nobody:{SECRET}@{at}/"), &[])] {
        let error = store.ping().await.unwrap_err();
        assert_eq!(error.kind(), Kind::Denied, "{error}");
        assert!(!format!("{error} {error:?} {store:?}").contains(SECRET));
    }
    let error = open_at(format!("mongodb://{at}/"), &[]).ping().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied, "{error}");
}

/// The user is kept with the data; the server ends in order.
async fn add_user(server: Server) {
    let client = Client::with_uri_str(format!("mongodb://{}/", server.address())).await.unwrap();
    let roles = [doc! {"role": "readWriteAnyDatabase", "db": "admin"}];
    let command = doc! {"createUser": "me", "pwd": "p@ss/word", "roles": roles.to_vec()};
    client.database("admin").run_command(command).await.unwrap();
    server.kill().await;
}

#[tokio::test]
#[ignore = "needs mongodb: run ./test components"]
async fn encrypted() {
    let certificates = Certificates::new(None);
    let file = |name: &str| certificates.path(name);
    let own = ["--tls-cert-file".to_owned(), file("server.pem"), "--tls-key-file".to_owned(), file("server.key")];
    let client = ["--tls-ca-file".to_owned(), file("authority.pem"), "--tls-require-client-cert".to_owned()];
    let server = Server::mongodb_with(|_| own.to_vec()).await;
    let strict = Server::mongodb_with(|_| [&own[..], &client[..]].concat()).await;
    let (authority, stranger, both) = (file("authority.pem"), file("stranger.pem"), file("client-both.pem"));
    let ping = |at: SocketAddr, options: String| async move {
        open_at(format!("mongodb://{at}/?{options}"), &[]).ping().await
    };
    ping(server.address(), format!("tls=true&tlsCAFile={authority}")).await.unwrap();
    ping(server.address(), "tls=true&tlsInsecure=true".to_owned()).await.unwrap();
    let client = format!("tls=true&tlsCAFile={authority}&tlsCertificateKeyFile={both}");
    ping(strict.address(), client).await.unwrap();
    let refused = [
        (server.address(), format!("tls=true&tlsCAFile={stranger}")),
        (server.address(), "tls=true".to_owned()),
        (server.address(), String::new()),
        (strict.address(), format!("tls=true&tlsCAFile={authority}")),
    ];
    for (at, options) in refused {
        let store = open_at(format!("mongodb://{at}/?{options}"), &[("operationTimeout", "2s")]);
        let error = store.ping().await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{options}: {error}");
    }
}
