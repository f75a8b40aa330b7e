//! Servers over TLS, by all the ways in which a connection string can ask for it.
use component_api::state::Store;
use component_api::{Error, Kind, Result};
use component_postgres::metadata::ConnectionMetadata;
use component_postgres::state::{MetadataV2, PostgresStore};
use conformance::certificates::Certificates;
use conformance::server::Server;

/// The user comes in by a certificate with that name, and over TLS only. The last line lets the test's own tools in.
const ADMISSION: &str = "hostssl trilby trilby 127.0.0.1/32 cert\nhost trilby all all reject\nhost all all all trust\n";

#[tokio::test]
#[ignore = "needs postgresql: run ./test components"]
async fn certificates_of_the_server() {
    let certificates = Certificates::new(Some("postgres"));
    let server = Server::postgres_with(secured(&certificates)).await;
    let [authority, stranger] = ["authority.pem", "stranger.pem"].map(|name| certificates.path(name));
    let works = [
        ("127.0.0.1", "sslmode=require".to_owned()),
        ("127.0.0.1", format!("sslmode=require sslrootcert={authority}")),
        ("127.0.0.1", format!("sslmode=verify-ca sslrootcert={authority}")),
        ("127.0.0.1", format!("sslmode=verify-full sslrootcert={authority}")),
        ("localhost", format!("sslmode=verify-full sslrootcert={authority}")),
    ];
    for (host, options) in works {
        ping(&server, host, &options).await.unwrap_or_else(|error| panic!("{options}: {error}"));
    }
    for options in [format!("sslmode=verify-ca sslrootcert={stranger}"), "sslmode=verify-full".to_owned()] {
        let error = ping(&server, "127.0.0.1", &options).await.unwrap_err();
        assert!(error.to_string().contains("certificate"), "{options}: {error}");
    }
}

#[tokio::test]
#[ignore = "needs postgresql: run ./test components"]
async fn certificates_of_the_client() {
    let certificates = Certificates::new(Some("postgres"));
    let admission = certificates.add("admission", ADMISSION);
    let more = ["-c".to_owned(), format!("hba_file={admission}")];
    let server = Server::postgres_with([&secured(&certificates)[..], &more].concat()).await;
    let file = |name: &str| certificates.path(name);
    let identity = format!("sslcert={} sslkey={}", file("client.pem"), file("client.key"));
    let verified = format!("sslmode=verify-full sslrootcert={}", file("authority.pem"));
    ping(&server, "127.0.0.1", &format!("{verified} {identity}")).await.unwrap();
    for options in [verified, "sslmode=disable".to_owned()] {
        let error: Error = ping(&server, "127.0.0.1", &options).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Denied, "{options}: {error}");
    }
}

fn secured(certificates: &Certificates) -> Vec<String> {
    let settings = [("ssl_cert_file", "server.pem"), ("ssl_key_file", "server.key"), ("ssl_ca_file", "authority.pem")];
    let settings = settings.map(|(name, file)| format!("{name}={}", certificates.path(file)));
    ["ssl=on".to_owned()].into_iter().chain(settings).flat_map(|setting| ["-c".to_owned(), setting]).collect()
}

async fn ping(server: &Server, host: &str, options: &str) -> Result<()> {
    let port = server.address().port();
    let text = format!("host={host} port={port} user=trilby dbname=trilby {options}");
    let connection = ConnectionMetadata { connection_string: text.into(), ..ConnectionMetadata::default() };
    PostgresStore::new_v2(MetadataV2 { connection, ..MetadataV2::default() })?.ping().await
}
