//! What other programs write is read and noticed.
use super::{Metadata, SqliteConfiguration};
use crate::ConnectionMetadata;
use async_trait::async_trait;
use component_api::Metadata as Pairs;
use component_api::configuration::{Item, Items, Notify, Store};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

struct Inbox(mpsc::UnboundedSender<Items>);

#[async_trait]
impl Notify for Inbox {
    async fn changed(&self, items: Items) {
        self.0.send(items).ok();
    }
}

async fn open(path: &Path) -> SqliteConfiguration {
    let connection_string = path.to_string_lossy().into_owned();
    SqliteConfiguration::open(Metadata {
        connection: ConnectionMetadata { connection_string, ..Default::default() },
        ..Metadata::default()
    })
    .await
    .unwrap()
}

fn item(value: &str, version: &str) -> Item {
    Item { value: value.to_owned(), version: version.to_owned(), metadata: Pairs::new() }
}

async fn next(inbox: &mut mpsc::UnboundedReceiver<Items>) -> Items {
    timeout(Duration::from_secs(60), inbox.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn rows_of_any_type_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.db");
    let connection = Connection::open(&path).unwrap();
    let table = "CREATE TABLE configuration (key PRIMARY KEY, value, version, metadata);
        INSERT INTO configuration VALUES ('number', 5, 2, '{\"unit\":\"m\",\"count\":1}'), ('none', NULL, NULL, NULL),
        ('bad', 'x', 'v', 'no JSON')";
    connection.execute_batch(table).unwrap();
    let items = open(&path).await.get(&[], &Pairs::new()).await.unwrap();
    let metadata = [("unit", "m"), ("count", "1")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert_eq!(items["number"], Item { metadata, ..item("5", "2") });
    assert_eq!((&items["none"], &items["bad"]), (&item("", ""), &item("x", "v")));
}

#[tokio::test]
async fn a_commit_of_another_connection_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.db");
    let store = open(&path).await;
    let (sender, mut inbox) = mpsc::unbounded_channel();
    let _subscription = store.subscribe(Vec::new(), Pairs::new(), Arc::new(Inbox(sender))).await.unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("INSERT INTO configuration (key, value) VALUES ('a', '1'), ('b', '1')").unwrap();
    let both = Items::from([("a".to_owned(), item("1", "")), ("b".to_owned(), item("1", ""))]);
    assert_eq!(next(&mut inbox).await, both, "one commit is one change");
    other.execute_batch("DELETE FROM configuration WHERE key = 'a'").unwrap();
    assert_eq!(next(&mut inbox).await, Items::from([("a".to_owned(), Item::default())]));
    drop(other);
    let another = Connection::open(&path).unwrap();
    another.execute_batch("UPDATE configuration SET value = '2', version = '7'").unwrap();
    assert_eq!(next(&mut inbox).await, Items::from([("b".to_owned(), item("2", "7"))]));
    store.close().await.unwrap();
    assert!(inbox.recv().await.is_none(), "a closed store tells nothing more");
}
