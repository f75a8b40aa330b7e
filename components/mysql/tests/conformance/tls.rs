//! A server over TLS, by the ways in which a connection string can ask for it.
use component_api::state::Store;
use component_api::{Kind, Result};
use component_mysql::state::{Metadata, MysqlStore};
use conformance::certificates::Certificates;
use conformance::server::Server;

#[tokio::test]
#[ignore = "needs mariadb: run ./test components"]
async fn certificates_of_the_server() {
    let certificates = Certificates::new(Some("mysql"));
    let files = [("cert", "server.pem"), ("key", "server.key"), ("ca", "authority.pem")];
    let files = files.map(|(name, file)| format!("--ssl-{name}={}", certificates.path(file)));
    let strict = ["--require-secure-transport=ON".to_owned()];
    let server = Server::mariadb_with([&files[..], &strict].concat()).await;
    let [authority, stranger] = ["authority.pem", "stranger.pem"].map(|name| certificates.path(name));
    for (mode, trusted) in [("custom", authority.as_str()), ("skip-verify", ""), ("preferred", "")] {
        ping(&server, mode, trusted).await.unwrap_or_else(|error| panic!("{mode}: {error}"));
    }
    for (mode, trusted) in [("custom", stranger.as_str()), ("true", "")] {
        let error = ping(&server, mode, trusted).await.unwrap_err();
        assert!(error.to_string().contains("certificate"), "{mode}: {error}");
    }
    let error = ping(&server, "false", "").await.unwrap_err();
    assert_ne!(error.kind(), Kind::Timeout, "it is told: {error}");
}

async fn ping(server: &Server, mode: &str, trusted: &str) -> Result<()> {
    let text = format!("root@tcp({})/?tls={mode}", server.address());
    let metadata = Metadata { connection_string: text.into(), pem_path: trusted.to_owned(), ..Metadata::default() };
    MysqlStore::new(metadata)?.ping().await
}
