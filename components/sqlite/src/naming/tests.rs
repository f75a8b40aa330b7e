//! Sidecars that come, stay, and go.
use super::{Metadata, SqliteResolver};
use component_api::Kind;
use component_api::naming::{Registration, Resolver, Target};
use rusqlite::Connection;
use std::path::Path;

async fn resolver(path: &Path) -> SqliteResolver {
    let connection_string = path.to_string_lossy().into_owned();
    let metadata = Metadata { connection_string, ..Metadata::default() };
    SqliteResolver::open(metadata).await.unwrap()
}

fn own(app_id: &str, address: &str, port: u16) -> Registration {
    let (app_id, address) = (app_id.to_owned(), address.to_owned());
    Registration { app_id, namespace: "ns".to_owned(), address, port, http_port: 3500 }
}

async fn find(resolver: &SqliteResolver, app_id: &str) -> Vec<String> {
    let target = Target { app_id: app_id.to_owned(), namespace: "other".to_owned(), default_port: 1 };
    let mut found = resolver.resolve(&target).await.or_else(|error| {
        assert_eq!((error.kind(), error.to_string().as_str()), (Kind::NotFound, "no host found with the given ID"));
        Ok::<_, component_api::Error>(Vec::new())
    });
    found.as_mut().unwrap().sort();
    found.unwrap()
}

#[tokio::test]
async fn sidecars_find_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names.db");
    let (first, second, third) = (resolver(&path).await, resolver(&path).await, resolver(&path).await);
    assert!(find(&first, "a").await.is_empty());
    first.register(own("a", "10.0.0.1", 1)).await.unwrap();
    second.register(own("a", "10.0.0.2", 2)).await.unwrap();
    third.register(own("b", "::1", 3)).await.unwrap();
    assert_eq!(find(&third, "a").await, ["10.0.0.1:1", "10.0.0.2:2"]);
    assert_eq!(find(&first, "b").await, ["[::1]:3"]);
    first.close().await.unwrap();
    assert_eq!(find(&third, "a").await, ["10.0.0.2:2"]);
}

#[tokio::test]
async fn rows_are_taken_over_and_expire() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names.db");
    let (first, second) = (resolver(&path).await, resolver(&path).await);
    first.register(own("a", "10.0.0.1", 1)).await.unwrap();
    let lost = std::sync::Arc::clone(&first.own().as_ref().unwrap().host);
    let connection = Connection::open(&path).unwrap();
    connection.execute("UPDATE hosts SET last_update = last_update - 5", []).unwrap();
    assert!(find(&second, "a").await.is_empty(), "a row that is not renewed counts as gone");
    assert!(super::renew(&first.database, &first.rows, &lost).await);
    assert_eq!(find(&second, "a").await, ["10.0.0.1:1"], "until it is renewed");
    connection.execute("DELETE FROM hosts", []).unwrap();
    assert!(super::renew(&first.database, &first.rows, &lost).await);
    assert_eq!(find(&second, "a").await, ["10.0.0.1:1"], "a row that was removed comes back");
    second.register(own("b", "10.0.0.1", 1)).await.unwrap();
    assert!(!super::renew(&first.database, &first.rows, &lost).await, "but not against its new owner");
    assert_eq!(find(&first, "b").await, ["10.0.0.1:1"]);
    let level: String =
        connection.query_row("SELECT value FROM metadata WHERE key = 'nr-migrations'", [], |row| row.get(0)).unwrap();
    assert_eq!(level, "1");
}
